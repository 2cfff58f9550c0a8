"""Forgotten passwords: who is mailed a link, what it does, and that it is good once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from application.commands.accounts import AccountChanges
from application.errors import InvalidValue, SessionEnded, TooManyAttempts
from application.sign_in.password_resets import PASSWORD_RESET_LIFETIME
from application.throttle_keys import PASSWORD_RESETS_PER_HOUR
from domain.mails import LinkPurpose
from domain.refusals import LinkInvalid, LoginRefused
from tests.builders import (
    PORTAL,
    Company,
    SubUserHandle,
    context_from,
    deliver_mails,
    event_types,
    mailed_token,
    plain_text,
)
from tests.postgres import fetch
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock

NEW_PASSWORD = "a phrase that nobody knew"


@pytest.fixture
def sub_user(company: Company) -> SubUserHandle:
    """Return a sub-user with a password of their own, all of whose mails have been delivered."""
    sub_user = company.create_with_own_password()
    deliver_mails(company.service)
    return sub_user


def request_reset(sub_user: SubUserHandle) -> None:
    """Ask for a link as the sub-user."""
    company = sub_user.company
    company.service.commands.password_resets.request(company.email, sub_user.email, PORTAL)


def mailed_secret(sub_user: SubUserHandle) -> str:
    """Ask for a link as the sub-user, and return its secret from the mail."""
    request_reset(sub_user)
    return mailed_token(deliver_mails(sub_user.company.service)[-1])


def choose(service: Service, secret: str, password: str = NEW_PASSWORD) -> None:
    service.commands.password_resets.choose_password(secret, LinkPurpose.PASSWORD_RESET, password, PORTAL)


def mailed_subjects(service: Service) -> list[str]:
    return [mail["Subject"] for mail in deliver_mails(service)]


def test_link_replaces_a_forgotten_password(service: Service, company: Company, sub_user: SubUserHandle) -> None:
    """All sessions end, the former password does not work any more, and the sub-user is told."""
    token = sub_user.log_in().token

    choose(service, mailed_secret(sub_user))

    assert not sub_user.has_session(token)
    with pytest.raises(LoginRefused):
        sub_user.log_in()
    assert not sub_user.log_in(NEW_PASSWORD).must_change_password
    assert event_types(company)[-6:] == [
        *("PasswordResetRequested", "NoticeMailed", "LinkUsed", "SubUserPasswordChanged"),
        *("SubUserLoginRefused", "SubUserLoggedIn"),
    ]
    assert mailed_subjects(service)[-1] == "Your password for the Winds & Waves account has been changed"


def test_request_changes_nothing_until_the_link_is_used(sub_user: SubUserHandle) -> None:
    token = sub_user.log_in().token
    mailed_secret(sub_user)
    assert sub_user.has_session(token)
    sub_user.log_in()


def test_mail_says_where_the_request_came_from(service: Service, sub_user: SubUserHandle) -> None:
    request_reset(sub_user)
    text = plain_text(deliver_mails(service)[-1])
    assert "From IP address: 192.0.2.1" in text
    assert "With: a browser" in text


def test_owner_resets_their_password(service: Service, company: Company) -> None:
    """An owner without a password signs in through the portal, and is mailed no link."""
    resets = service.commands.password_resets
    resets.request(company.email, None, PORTAL)
    assert mailed_subjects(service) == []

    service.commands.accounts.change(company.account_id, AccountChanges(password="the owner's first one"), PORTAL)
    token = service.commands.owner_sessions.log_in(company.email, "the owner's first one", PORTAL).value.token
    resets.request(company.email, None, PORTAL)
    choose(service, mailed_token(deliver_mails(service)[-1]))

    with pytest.raises(SessionEnded):
        service.commands.owner_sessions.current(token)
    service.commands.owner_sessions.log_in(company.email, NEW_PASSWORD, PORTAL)
    with pytest.raises(LoginRefused):
        service.commands.owner_sessions.log_in(company.email, "the owner's first one", PORTAL)
    assert mailed_subjects(service)[-1] == "The password of the Winds & Waves account has been changed"


def test_unknown_person_is_mailed_nothing(service: Service, company: Company) -> None:
    before = event_types(company)
    resets = service.commands.password_resets
    resets.request(company.email, "nobody@company.example", PORTAL)
    resets.request("nobody@company.example", "nobody@company.example", PORTAL)
    resets.request("nobody@company.example", None, PORTAL)
    assert deliver_mails(service) == []
    assert event_types(company) == before


@pytest.mark.parametrize(
    "withdraw",
    [
        lambda sub_user: sub_user.change(active=False),
        lambda sub_user: sub_user.delete(),
        lambda sub_user: sub_user.change(
            changes_expiry=True, access_expires_at=sub_user.company.service.clock() - timedelta(seconds=1)
        ),
        lambda sub_user: sub_user.company.service.commands.accounts.close(sub_user.company.account_id, PORTAL),
    ],
    ids=["deactivated", "deleted", "expired", "account closed"],
)
def test_person_without_access_has_no_link(sub_user: SubUserHandle, withdraw: Callable[[SubUserHandle], None]) -> None:
    """A link that was mailed before becomes invalid, and none is mailed any more."""
    service = sub_user.company.service
    secret = mailed_secret(sub_user)
    withdraw(sub_user)

    with pytest.raises(LinkInvalid):
        choose(service, secret)
    mails = len(deliver_mails(service))
    request_reset(sub_user)
    assert len(deliver_mails(service)) == mails


@pytest.mark.parametrize(
    "replace_credentials",
    [
        lambda sub_user: sub_user.choose_password("another phrase of my own"),
        lambda sub_user: sub_user.change(password="a temporary phrase"),
        lambda sub_user: sub_user.change(email="elsewhere@company.example"),
    ],
    ids=["own password", "temporary password", "e-mail"],
)
def test_new_credentials_invalidate_a_link(
    sub_user: SubUserHandle, replace_credentials: Callable[[SubUserHandle], None]
) -> None:
    secret = mailed_secret(sub_user)
    replace_credentials(sub_user)
    with pytest.raises(LinkInvalid):
        choose(sub_user.company.service, secret)


def test_newer_link_replaces_the_former_one(service: Service, sub_user: SubUserHandle) -> None:
    first, second = mailed_secret(sub_user), mailed_secret(sub_user)
    with pytest.raises(LinkInvalid):
        choose(service, first)
    choose(service, second)


def test_link_expires(service: Service, sub_user: SubUserHandle, clock: TravelingClock) -> None:
    secret = mailed_secret(sub_user)
    clock.advance(seconds=PASSWORD_RESET_LIFETIME.total_seconds())
    with pytest.raises(LinkInvalid):
        choose(service, secret)


def test_link_that_expired_before_its_mail_is_not_mailed(
    service: Service, sub_user: SubUserHandle, clock: TravelingClock
) -> None:
    mails = len(deliver_mails(service))
    request_reset(sub_user)
    clock.advance(seconds=PASSWORD_RESET_LIFETIME.total_seconds())
    assert len(deliver_mails(service)) == mails


def test_refused_password_does_not_use_up_the_link(service: Service, sub_user: SubUserHandle) -> None:
    secret = mailed_secret(sub_user)
    with pytest.raises(InvalidValue):
        choose(service, secret, "short")
    choose(service, secret)
    with pytest.raises(LinkInvalid):
        choose(service, secret)


def test_link_is_good_once(service: Service, company: Company, sub_user: SubUserHandle) -> None:
    """Of 64 clients that use it at the same time, exactly one sets its password."""
    secret = mailed_secret(sub_user)
    before = event_types(company).count("SubUserPasswordChanged")

    def use(number: int) -> str | None:
        password = f"the phrase of client {number}"
        try:
            choose(service, secret, password)
        except LinkInvalid:
            return None
        return password

    results = run_concurrently([partial(use, number) for number in range(64)])
    winners = [password for password in results if isinstance(password, str)]
    assert len(winners) == 1
    assert event_types(company).count("SubUserPasswordChanged") == before + 1
    sub_user.log_in(winners[0])


def test_secret_is_stored_only_until_it_is_mailed(service: Service, sub_user: SubUserHandle, database_url: str) -> None:
    """Even then it is encrypted. The mail is sent once."""
    secret = mailed_secret(sub_user)
    assert fetch(database_url, "SELECT encrypted_secret FROM mailed_links") == [(None,)]
    assert secret not in str(fetch(database_url, "SELECT * FROM mailed_links"))
    mails = len(deliver_mails(service))
    assert len(deliver_mails(service)) == mails


def test_erased_person_has_no_link(sub_user: SubUserHandle, database_url: str) -> None:
    mailed_secret(sub_user)
    sub_user.delete()
    assert fetch(database_url, "SELECT * FROM mailed_links") == []


def test_account_can_keep_resets_to_its_owner(service: Service, company: Company, sub_user: SubUserHandle) -> None:
    """The owner is told who asked. Links that were mailed before stay valid."""
    service.commands.accounts.change(company.account_id, AccountChanges(sub_user_password_reset=False), PORTAL)
    request_reset(sub_user)

    mail = deliver_mails(service)[-1]
    assert [address.addr_spec for address in mail["To"].addresses] == [company.email]
    assert f"Grace Hopper ({sub_user.email})" in plain_text(mail)
    assert "password-reset/" not in plain_text(mail)

    service.commands.accounts.change(company.account_id, AccountChanges(sub_user_password_reset=True), PORTAL)
    choose(service, mailed_secret(sub_user))


def test_requests_are_limited_for_each_person(
    service: Service, company: Company, sub_user: SubUserHandle, clock: TravelingClock
) -> None:
    """Whether they exist or not, and from wherever. Logins are not affected."""
    resets = service.commands.password_resets
    for email in (sub_user.email, "nobody@company.example"):
        for number in range(PASSWORD_RESETS_PER_HOUR):
            resets.request(company.email, email, context_from(f"198.51.100.{number}"))
        with pytest.raises(TooManyAttempts):
            resets.request(company.email, email, context_from("203.0.113.9"))
    sub_user.log_in()
    clock.advance(hours=1)
    resets.request(company.email, sub_user.email, PORTAL)


def test_requests_are_limited_for_each_client(service: Service, company: Company) -> None:
    resets = service.commands.password_resets
    for number in range(30):
        resets.request(company.email, f"nobody-{number}@company.example", context_from("203.0.113.9"))
    with pytest.raises(TooManyAttempts):
        resets.request(company.email, "nobody@company.example", context_from("203.0.113.9"))
