"""Invitations: a mailed link with which a sub-user chooses their password, good once for seven days."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from application.errors import InvalidValue, TooManyAttempts
from domain.mails import MAILS_PER_RECIPIENT, LinkPurpose
from domain.refusals import LinkInvalid, LoginRefused, TooManyMails
from domain.sub_user import CredentialsKind, CredentialsMailState
from tests.builders import (
    GENERATED_PASSWORD,
    PORTAL,
    Company,
    SubUserHandle,
    catch_up,
    deliver_mails,
    event_types,
    plain_text,
)
from tests.postgres import fetch
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock

LINK = CredentialsKind.LINK
OWN_PASSWORD = "a phrase that nobody knew"
SECRET = re.compile(r"/invitation/([\w-]+)\s")


@pytest.fixture
def sub_user(company: Company) -> SubUserHandle:
    """Return a sub-user who is not active yet."""
    return company.create_sub_user()


def invite(sub_user: SubUserHandle) -> None:
    sub_user.change(active=True, credentials_kind=LINK)


def send_again(sub_user: SubUserHandle, credentials_kind: CredentialsKind | None = None) -> None:
    company = sub_user.company
    sub_users = company.service.commands.sub_users
    sub_users.send_credentials_again(company.account_id, sub_user.sub_user_id, PORTAL, credentials_kind)


def invite_again(sub_user: SubUserHandle) -> None:
    sub_user.change(active=False)
    invite(sub_user)


def secret_in(mail: EmailMessage) -> str:
    match = SECRET.search(plain_text(mail))
    assert match is not None, plain_text(mail)
    return match.group(1)


def newest_secret(service: Service) -> str:
    """Return the secret of the newest mail, after all mails have been delivered."""
    return secret_in(deliver_mails(service)[-1])


def accept(service: Service, secret: str, password: str = OWN_PASSWORD) -> None:
    service.commands.password_resets.choose_password(secret, LinkPurpose.INVITATION, password, PORTAL)


def test_invited_sub_user_chooses_their_password(service: Service, company: Company, sub_user: SubUserHandle) -> None:
    """The password set at the creation is not mailed, and is not valid any more."""
    invite(sub_user)
    mail = deliver_mails(service)[-1]
    assert [address.addr_spec for address in mail["To"].addresses] == [sub_user.email]
    assert GENERATED_PASSWORD.search(plain_text(mail)) is None
    assert sub_user.password not in str(mail)
    with pytest.raises(LoginRefused):
        sub_user.log_in()
    invited = sub_user.state()
    assert invited.credentials_mail == CredentialsMailState.SENT
    assert invited.must_change_password
    [(link_expires_at,)] = fetch(service.settings.database_url or "", "SELECT expires_at FROM mailed_links")
    assert invited.temporary_password_expires_at == link_expires_at

    accept(service, secret_in(mail))

    assert not sub_user.log_in(OWN_PASSWORD).must_change_password
    accepted = sub_user.state()
    assert (accepted.must_change_password, accepted.temporary_password_expires_at) == (False, None)
    assert event_types(company)[-6:] == [
        *("SubUserActivated", "CredentialsMailed", "SubUserLoginRefused", "LinkUsed", "SubUserPasswordChanged"),
        "SubUserLoggedIn",
    ]


def test_view_shows_what_was_mailed(service: Service, company: Company, sub_user: SubUserHandle) -> None:
    def shown() -> str:
        catch_up(service, "sub-users")
        details = service.queries.sub_users.sub_user(company.account_id, sub_user.sub_user_id)
        return details.credentials_kind

    assert shown() == "password"
    invite(sub_user)
    assert shown() == "link"
    send_again(sub_user, CredentialsKind.PASSWORD)
    assert shown() == "password"


def test_mail_says_until_when_the_link_is_valid(
    service: Service, sub_user: SubUserHandle, clock: TravelingClock
) -> None:
    invite(sub_user)
    until = clock() + timedelta(days=7)
    assert f"before {until.day} {until:%B %Y, %H:%M} UTC" in plain_text(deliver_mails(service)[-1])


@pytest.mark.parametrize("base", ["https://company.example/sign-in", "https://company.example"])
def test_mails_link_to_the_portals_own_pages(build: Callable[..., Service], settings: Settings, base: str) -> None:
    """Nothing in them leads to the console, which the portal's users may not know."""
    service = build(replace(settings, sign_in_url=base))
    company = Company.register(service)
    sub_user = company.create_sub_user()
    invite(sub_user)
    lines = plain_text(deliver_mails(service)[-1]).splitlines()
    assert base in lines
    assert any(line.startswith(f"{base}/invitation/") for line in lines)
    accept(service, newest_secret(service))
    service.commands.password_resets.request(company.email, sub_user.email, PORTAL)
    mails = [plain_text(mail) for mail in deliver_mails(service)]
    assert f"{base}/password-reset/" in mails[-1]
    assert settings.public_url not in "".join(mails)


def test_invitation_expires_after_seven_days(service: Service, sub_user: SubUserHandle, clock: TravelingClock) -> None:
    invite(sub_user)
    secret = newest_secret(service)
    clock.advance(days=7)
    with pytest.raises(LinkInvalid):
        accept(service, secret)
    send_again(sub_user)
    accept(service, newest_secret(service))


@pytest.mark.parametrize(
    "renew",
    [
        send_again,
        invite_again,
        lambda sub_user: sub_user.change(email="elsewhere@company.example"),
    ],
    ids=["sent again", "invited again", "new e-mail"],
)
def test_newer_invitation_replaces_the_former_one(
    service: Service, sub_user: SubUserHandle, renew: Callable[[SubUserHandle], object]
) -> None:
    """The events that issue the new link also delete the former one, in the same transaction."""
    invite(sub_user)
    former = newest_secret(service)
    renew(sub_user)
    with pytest.raises(LinkInvalid):
        accept(service, former)
    secrets = [secret for mail in deliver_mails(service) for secret in SECRET.findall(plain_text(mail))]
    accept(service, next(secret for secret in secrets if secret != former))


@pytest.mark.parametrize(
    "replace_credentials",
    [
        lambda sub_user: send_again(sub_user, CredentialsKind.PASSWORD),
        lambda sub_user: sub_user.change(password="a temporary phrase"),
        lambda sub_user: sub_user.change(active=False),
        lambda sub_user: sub_user.delete(),
        lambda sub_user: sub_user.change(
            changes_expiry=True, access_expires_at=sub_user.company.service.clock() - timedelta(seconds=1)
        ),
        lambda sub_user: sub_user.company.service.commands.accounts.close(sub_user.company.account_id, PORTAL),
    ],
    ids=["mailed password", "set password", "deactivated", "deleted", "expired", "account closed"],
)
def test_other_credentials_and_the_end_of_access_invalidate_the_invitation(
    service: Service, sub_user: SubUserHandle, replace_credentials: Callable[[SubUserHandle], object]
) -> None:
    invite(sub_user)
    secret = newest_secret(service)
    replace_credentials(sub_user)
    with pytest.raises(LinkInvalid):
        accept(service, secret)


def test_reactivation_after_an_invitation_does_not_revive_it(service: Service, sub_user: SubUserHandle) -> None:
    invite(sub_user)
    secret = newest_secret(service)
    sub_user.change(active=False)
    sub_user.change(active=True)
    with pytest.raises(LinkInvalid):
        accept(service, secret)


def test_invitation_replaces_an_own_password(service: Service, company: Company) -> None:
    """It ends the sub-user's sessions, as any new credentials do."""
    sub_user = company.create_with_own_password()
    token = sub_user.log_in().token
    send_again(sub_user, LINK)
    assert not sub_user.has_session(token)
    with pytest.raises(LoginRefused):
        sub_user.log_in()
    accept(service, newest_secret(service))
    sub_user.log_in(OWN_PASSWORD)


def test_superseded_invitation_is_not_mailed(service: Service, sub_user: SubUserHandle) -> None:
    invite(sub_user)
    send_again(sub_user)
    mails = deliver_mails(service)
    assert len(mails) == 1
    accept(service, secret_in(mails[0]))


def test_invitation_is_no_password_reset(service: Service, sub_user: SubUserHandle) -> None:
    """Each link is good for its own purpose."""
    invite(sub_user)
    secret = newest_secret(service)
    with pytest.raises(LinkInvalid):
        service.commands.password_resets.choose_password(secret, LinkPurpose.PASSWORD_RESET, OWN_PASSWORD, PORTAL)
    accept(service, secret)


def test_invited_sub_user_who_lost_the_mail_can_ask_for_a_link(
    service: Service, company: Company, sub_user: SubUserHandle
) -> None:
    """The mail goes to the same address. The invitation dies as soon as a password was chosen."""
    invite(sub_user)
    secret = newest_secret(service)
    service.commands.password_resets.request(company.email, sub_user.email, PORTAL)
    reset = plain_text(deliver_mails(service)[-1]).split("/password-reset/")[1].split()[0]
    service.commands.password_resets.choose_password(reset, LinkPurpose.PASSWORD_RESET, OWN_PASSWORD, PORTAL)
    with pytest.raises(LinkInvalid):
        accept(service, secret, "another phrase that nobody knew")


def test_refused_password_does_not_use_up_the_invitation(service: Service, sub_user: SubUserHandle) -> None:
    invite(sub_user)
    secret = newest_secret(service)
    with pytest.raises(InvalidValue):
        accept(service, secret, "short")
    accept(service, secret)
    with pytest.raises(LinkInvalid):
        accept(service, secret)


def test_invitation_is_good_once(service: Service, company: Company, sub_user: SubUserHandle) -> None:
    """Of 64 clients that use it at the same time, exactly one sets its password."""
    invite(sub_user)
    secret = newest_secret(service)

    def use(number: int) -> str | None:
        password = f"the phrase of client {number}"
        try:
            accept(service, secret, password)
        except LinkInvalid:
            return None
        return password

    results = run_concurrently([partial(use, number) for number in range(64)])
    (winner,) = [password for password in results if password is not None]
    assert event_types(company).count("SubUserPasswordChanged") == 1
    sub_user.log_in(str(winner))


def test_invitations_count_as_credentials_mails(service: Service, sub_user: SubUserHandle) -> None:
    invite(sub_user)
    for _ in range(MAILS_PER_RECIPIENT - 1):
        send_again(sub_user)
    with pytest.raises(TooManyMails):
        send_again(sub_user)
    deliver_mails(service)


def test_secret_is_stored_only_until_it_is_mailed(service: Service, sub_user: SubUserHandle, database_url: str) -> None:
    invite(sub_user)
    assert fetch(database_url, "SELECT sealed_password FROM vault WHERE person_id = %s", sub_user.sub_user_id) == [
        (None,)
    ]
    secret = newest_secret(service)
    assert fetch(database_url, "SELECT encrypted_secret FROM mailed_links") == [(None,)]
    assert secret not in str(fetch(database_url, "SELECT * FROM mailed_links"))


@pytest.mark.parametrize(
    "changes",
    [
        {"credentials_kind": LINK, "password": "a temporary phrase", "active": True},
        {"credentials_kind": LINK},
        {"credentials_kind": CredentialsKind.PASSWORD, "name": "Ada"},
        {"credentials_kind": LINK, "active": False},
    ],
)
def test_kind_without_such_a_mail_is_refused(
    company: Company, sub_user: SubUserHandle, changes: dict[str, Any]
) -> None:
    before = event_types(company)
    with pytest.raises(InvalidValue) as error:
        sub_user.change(**changes)
    assert error.value.field == "credentials"
    assert event_types(company) == before


def test_failed_logins_before_the_invitation_do_not_keep_the_sub_user_out(
    service: Service, sub_user: SubUserHandle
) -> None:
    invite(sub_user)
    secret = newest_secret(service)
    for _ in range(20):
        with pytest.raises((LoginRefused, TooManyAttempts)):
            sub_user.log_in("a wrong guess")
    accept(service, secret)
    sub_user.log_in(OWN_PASSWORD)
