"""Credentials: when temporary passwords are mailed, how long they are valid, and what replaces them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from application.command_context import CommandContext
from application.commands.sub_users import SubUserChanges
from application.errors import InvalidValue, SessionEnded
from domain.refusals import LoginRefused, SubUserIsInactive
from projections.sub_users.queries import SubUserFilter
from tests.builders import PORTAL, catch_up, deliver_mails, event_types, mailed_password, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.builders import Company, SubUserHandle
    from tests.conftest import TravelingClock

WEEK = timedelta(days=7)


def send_again(sub_user: SubUserHandle) -> None:
    sub_user.company.service.commands.sub_users.send_credentials_again(
        sub_user.company.account_id, sub_user.sub_user_id, PORTAL
    )


def reset(sub_user: SubUserHandle) -> None:
    sub_user.change(password="a phrase from the boss")


def reactivate(sub_user: SubUserHandle) -> None:
    sub_user.change(active=False)
    sub_user.change(active=True)


def reactivate_with_a_password(sub_user: SubUserHandle) -> None:
    sub_user.change(active=False)
    sub_user.change(active=True, password="a phrase from the boss")


def test_inactive_sub_user_gets_no_mail(service: Service, company: Company) -> None:
    """Inactive sub-users cannot log in."""
    sub_user = company.create_sub_user()
    sub_user.change(password="another phrase for now", name="Ada", visible=False)

    assert deliver_mails(service) == []


def test_first_activation_mails_the_chosen_password(service: Service, company: Company) -> None:
    """The mail has both e-mail addresses, the password, the login page and the company."""
    sub_user = company.create_active(password="the boss made this up")

    (mail,) = deliver_mails(service)

    text = plain_text(mail)
    assert sub_user.email in str(mail["To"])
    for expected in (
        company.email,
        sub_user.email,
        "the boss made this up",
        "https://portal.example/login",
        "Winds & Waves",
    ):
        assert expected in text
    assert sub_user.log_in().must_change_password


def test_first_activation_mails_the_latest_password(service: Service, company: Company) -> None:
    """An earlier password that was never mailed does not work."""
    sub_user = company.create_sub_user()
    sub_user.change(password="the second thought")
    sub_user.change(active=True)

    (mail,) = deliver_mails(service)

    assert "the second thought" in plain_text(mail)
    assert sub_user.log_in("the second thought").token
    with pytest.raises(LoginRefused):
        sub_user.log_in()


def test_password_in_the_activation_is_mailed(service: Service, company: Company) -> None:
    """One command sends one mail."""
    sub_user = company.create_sub_user()
    sub_user.change(active=True, password="a phrase from the boss", name="Ada")

    (mail,) = deliver_mails(service)

    assert "a phrase from the boss" in plain_text(mail)
    assert sub_user.log_in("a phrase from the boss").token


@pytest.mark.parametrize("issue", [reactivate, send_again])
def test_later_mails_carry_new_credentials(
    service: Service, company: Company, issue: Callable[[SubUserHandle], None]
) -> None:
    """The password is generated. The previous one, temporary or not, no longer works."""
    sub_user = company.create_with_own_password()
    before = len(deliver_mails(service))

    issue(sub_user)

    *_, mail = mails = deliver_mails(service)
    assert len(mails) == before + 1
    assert sub_user.password not in plain_text(mail)
    with pytest.raises(LoginRefused):
        sub_user.log_in()
    new_session = sub_user.log_in(mailed_password(mail))
    assert new_session.must_change_password


@pytest.mark.parametrize("issue", [reset, reactivate_with_a_password])
def test_password_set_by_the_main_account_is_mailed(
    service: Service, company: Company, issue: Callable[[SubUserHandle], None]
) -> None:
    """The password is temporary."""
    sub_user = company.create_with_own_password()
    issue(sub_user)

    *_, mail = deliver_mails(service)

    assert "a phrase from the boss" in plain_text(mail)
    assert sub_user.log_in("a phrase from the boss").must_change_password


def test_reset_of_an_inactive_sub_user_is_not_mailed(service: Service, company: Company) -> None:
    """The next activation issues its own password."""
    sub_user = company.create_with_own_password()
    sub_user.change(active=False)
    before = len(deliver_mails(service))

    sub_user.change(password="a phrase from the boss")

    assert len(deliver_mails(service)) == before
    sub_user.change(active=True)
    *_, mail = deliver_mails(service)
    assert sub_user.log_in(mailed_password(mail)).must_change_password
    with pytest.raises(LoginRefused):
        sub_user.log_in("a phrase from the boss")


def test_credentials_are_not_sent_to_an_inactive_sub_user(service: Service, company: Company) -> None:
    """The activation will send them."""
    sub_user = company.create_sub_user()

    with pytest.raises(SubUserIsInactive):
        send_again(sub_user)
    assert deliver_mails(service) == []


@pytest.mark.parametrize("issue", [send_again, reset, reactivate])
def test_newer_credentials_replace_older_ones(
    service: Service, company: Company, issue: Callable[[SubUserHandle], None]
) -> None:
    sub_user = company.create_active(password="the first one of them")
    assert sub_user.log_in().token

    issue(sub_user)

    with pytest.raises(LoginRefused):
        sub_user.log_in("the first one of them")


def test_temporary_password_is_valid_for_a_week(company: Company, clock: TravelingClock) -> None:
    """The week starts with the activation, and ends to the second."""
    sub_user = company.create_active()
    clock.advance(days=7, seconds=-5)
    assert sub_user.log_in().must_change_password
    clock.advance(seconds=5)

    with pytest.raises(LoginRefused) as refused:
        sub_user.log_in()
    assert refused.value.why == "temporary_password_expired"


def test_resource_has_the_expiry_of_the_temporary_password(company: Company, clock: TravelingClock) -> None:
    """Results of commands and queries have it until the sub-user has chosen their own password."""
    clock.freeze()
    sub_user = company.create_sub_user()
    clock.advance(days=1)
    expiry = sub_user.change(active=True).value.temporary_password_expires_at
    assert expiry == clock() + timedelta(days=7)
    catch_up(company.service)
    queried = company.service.queries.sub_users.sub_user(company.account_id, sub_user.sub_user_id)
    assert queried.temporary_password_expires_at == expiry
    (listed,) = company.service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None).items
    assert listed == queried
    clock.advance(days=8)
    assert sub_user.change(name="Ada").value.temporary_password_expires_at == expiry
    assert sub_user.change(
        password="another phrase for now"
    ).value.temporary_password_expires_at == clock() + timedelta(7)
    assert sub_user.change(active=False).value.temporary_password_expires_at is None
    assert company.create_with_own_password().change(name="Ada").value.temporary_password_expires_at is None


def test_validity_starts_with_the_activation(company: Company, clock: TravelingClock) -> None:
    """The age of the sub-user does not matter."""
    sub_user = company.create_sub_user()
    clock.advance(days=30)
    sub_user.change(active=True)
    clock.advance(days=6)

    assert sub_user.log_in().must_change_password


def test_own_password_does_not_expire(company: Company, clock: TravelingClock) -> None:
    sub_user = company.create_with_own_password()
    clock.advance(days=1000)

    assert not sub_user.log_in().must_change_password


def test_new_credentials_are_valid_for_another_week(service: Service, company: Company, clock: TravelingClock) -> None:
    sub_user = company.create_active()
    clock.advance(days=8)
    send_again(sub_user)
    *_, mail = deliver_mails(service)
    clock.advance(days=6)

    assert sub_user.log_in(mailed_password(mail)).token


def test_choosing_a_password_ends_every_session_and_opens_one(service: Service, company: Company) -> None:
    """The temporary password and the sessions opened with it no longer work."""
    sub_user = company.create_active()
    first, second = sub_user.log_in().token, sub_user.log_in().token

    new_session = service.commands.sub_user_sessions.change_password(
        first, sub_user.password, "a password of my own", PORTAL
    ).value

    assert not new_session.must_change_password
    assert sub_user.has_session(new_session.token)
    assert not sub_user.has_session(first)
    assert not sub_user.has_session(second)
    with pytest.raises(LoginRefused):
        sub_user.log_in()
    assert sub_user.log_in("a password of my own").token
    assert sub_user.state().must_change_password is False


def test_sub_user_is_notified_of_a_changed_password(service: Service, company: Company) -> None:
    """The mail contains no password."""
    sub_user = company.create_active()
    deliver_mails(service)
    sub_user.choose_password("a password of my own")

    *_, mail = deliver_mails(service)

    assert sub_user.email in str(mail["To"])
    assert "a password of my own" not in mail.as_string()
    assert sub_user.state().credentials_mail == "sent"


@pytest.mark.parametrize(
    ("current", "new", "field", "reason"),
    [
        ("not the right one", "a password of my own", "current_password", "is wrong"),
        (None, "first phrase for now", "new_password", "must differ from the current password"),
        (None, "short", "new_password", "must have 15 to 128 characters"),
        (None, "passwordpassword", "new_password", "is too common or too easily guessed"),
        (None, "GRACE knows her compilers", "new_password", "must not contain the e-mail address or the name"),
    ],
)
def test_new_password_must_meet_the_policy(
    service: Service, company: Company, current: str | None, new: str, field: str, reason: str
) -> None:
    """A refused change affects neither the password nor the session."""
    sub_user = company.create_active()
    token = sub_user.log_in().token

    with pytest.raises(InvalidValue) as refused:
        service.commands.sub_user_sessions.change_password(token, current or sub_user.password, new, PORTAL)

    assert (refused.value.field, refused.value.reason) == (field, reason)
    assert sub_user.has_session(token)
    assert sub_user.log_in().token


def test_password_change_requires_a_session(service: Service, company: Company) -> None:
    """The current password is not enough."""
    sub_user = company.create_active()
    token = sub_user.log_in().token
    service.commands.sub_user_sessions.log_out(token, PORTAL)

    with pytest.raises(SessionEnded):
        service.commands.sub_user_sessions.change_password(token, sub_user.password, "a password of my own", PORTAL)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "must have 15 to 128 characters"),
        ("passwordpassword", "is too common or too easily guessed"),
        ("my name is Hopper, really", "must not contain the e-mail address or the name"),
    ],
)
def test_main_account_cannot_set_a_weak_password(company: Company, password: str, reason: str) -> None:
    """A creation is refused, and so is an edit, as a whole."""
    with pytest.raises(InvalidValue) as refused:
        company.create_sub_user(password=password)
    assert (refused.value.field, refused.value.reason) == ("password", reason)

    sub_user = company.create_sub_user()
    with pytest.raises(InvalidValue):
        sub_user.change(password=password, active=True, visible=False)
    assert (sub_user.state().active, sub_user.state().visible) == (False, True)


def test_password_is_checked_against_a_name_from_the_same_edit(company: Company) -> None:
    sub_user = company.create_sub_user()

    with pytest.raises(InvalidValue):
        sub_user.change(password="lovelace had the idea", surname="Lovelace")


def test_edit_without_changes_records_no_event(company: Company) -> None:
    """No new credentials are issued."""
    sub_user = company.create_with_own_password()
    before = event_types(company)

    sub_user.change(
        name="Grace", surname="Hopper", visible=True, active=True, changes_expiry=True, access_expires_at=None
    )

    assert event_types(company) == before
    assert sub_user.log_in().token


def test_event_has_the_command_context(service: Service, company: Company) -> None:
    """The event has the actor, the request, the client and the reason."""
    sub_user = company.create_sub_user()
    context = CommandContext(
        PORTAL.actor_type, "key 7", request_id="r-77", ip="192.0.2.99", user_agent="curl", reason="because"
    )
    service.commands.sub_users.change(company.account_id, sub_user.sub_user_id, SubUserChanges(visible=False), context)

    event: Any = list(service.main_accounts.events.get(company.account_id))[-1]
    key = service.vault.entries([company.account_id])[company.account_id].key
    assert (event.actor_type, event.actor_id, event.request_id) == ("main_account", "key 7", "r-77")
    assert [key.decrypt(name, getattr(event, name)) for name in ("ip", "user_agent", "reason")] == [
        "192.0.2.99",
        "curl",
        "because",
    ]
