"""Temporary passwords: what is mailed when, how long it is good for, and what replaces it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from application.errors import InvalidValue, SessionEnded
from application.origin import Origin
from application.sub_users import SubUserChanges
from domain.permissions import OPERATIONAL
from domain.refusals import LoginRefused, SubUserIsInactive
from tests.people import PORTAL, deliver_mails, kinds, mailed_password, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from tests.conftest import TravelingClock
    from tests.people import Collaborator, Company

WEEK = timedelta(days=7)


def send_again(one: Collaborator) -> None:
    one.company.service.sub_users.send_credentials_again(one.company.account_id, one.sub_user_id, PORTAL)


def reset(one: Collaborator) -> None:
    one.change(password="a phrase from the boss")


def reactivate(one: Collaborator) -> None:
    one.change(active=False)
    one.change(active=True)


def reactivate_with_a_password(one: Collaborator) -> None:
    one.change(active=False)
    one.change(active=True, password="a phrase from the boss")


def test_nothing_is_mailed_before_activation(service: Service, company: Company) -> None:
    """Who cannot log in is not told how."""
    one = company.let_in()
    one.change(password="another phrase for now", name="Ada", visible=False)

    assert deliver_mails(service) == []


def test_the_first_activation_mails_the_password_that_was_set(service: Service, company: Company) -> None:
    """Together with both e-mail addresses, how to log in, and until when it is good."""
    one = company.let_in_active(password="the boss made this up")

    (mail,) = deliver_mails(service)

    text = text_of(mail)
    assert one.email in str(mail["To"])
    for expected in (
        company.email,
        one.email,
        "the boss made this up",
        "https://portal.example/login",
        "Winds & Waves",
    ):
        assert expected in text
    assert one.log_in().must_change_password


def test_the_first_activation_mails_the_last_password_that_was_set(service: Service, company: Company) -> None:
    """Replaced before anybody was told, the earlier one is good for nothing."""
    one = company.let_in()
    one.change(password="the second thought")
    one.change(active=True)

    (mail,) = deliver_mails(service)

    assert "the second thought" in text_of(mail)
    assert one.log_in("the second thought").token
    with pytest.raises(LoginRefused):
        one.log_in()


def test_a_password_set_while_activating_is_the_one_that_is_mailed(service: Service, company: Company) -> None:
    """All in one command, with one mail."""
    one = company.let_in()
    one.change(active=True, password="a phrase from the boss", name="Ada")

    (mail,) = deliver_mails(service)

    assert "a phrase from the boss" in text_of(mail)
    assert one.log_in("a phrase from the boss").token


@pytest.mark.parametrize("issue", [reactivate, send_again])
def test_later_mails_carry_new_access_data(
    service: Service, company: Company, issue: Callable[[Collaborator], None]
) -> None:
    """A password that nobody has seen; the one before, temporary or not, is good for nothing from then on."""
    one = company.let_in_settled()
    before = len(deliver_mails(service))

    issue(one)

    *_, mail = mails = deliver_mails(service)
    assert len(mails) == before + 1
    assert one.password not in text_of(mail)
    with pytest.raises(LoginRefused):
        one.log_in()
    opened = one.log_in(mailed_password(mail))
    assert opened.must_change_password
    assert opened.permissions == ()


@pytest.mark.parametrize("issue", [reset, reactivate_with_a_password])
def test_a_password_from_the_main_account_is_mailed(
    service: Service, company: Company, issue: Callable[[Collaborator], None]
) -> None:
    """It is as temporary as any other."""
    one = company.let_in_settled()
    issue(one)

    *_, mail = deliver_mails(service)

    assert "a phrase from the boss" in text_of(mail)
    assert one.log_in("a phrase from the boss").must_change_password


def test_a_reset_while_inactive_mails_nothing(service: Service, company: Company) -> None:
    """The next activation issues its own."""
    one = company.let_in_settled()
    one.change(active=False)
    before = len(deliver_mails(service))

    one.change(password="a phrase from the boss")

    assert len(deliver_mails(service)) == before
    one.change(active=True)
    *_, mail = deliver_mails(service)
    assert one.log_in(mailed_password(mail)).must_change_password
    with pytest.raises(LoginRefused):
        one.log_in("a phrase from the boss")


def test_access_data_is_not_sent_to_somebody_inactive(service: Service, company: Company) -> None:
    """They are to be activated first, which sends it."""
    one = company.let_in()

    with pytest.raises(SubUserIsInactive):
        send_again(one)
    assert deliver_mails(service) == []


@pytest.mark.parametrize("issue", [send_again, reset, reactivate])
def test_a_newer_one_replaces_an_older_one(
    service: Service, company: Company, issue: Callable[[Collaborator], None]
) -> None:
    """Whichever way it came about."""
    one = company.let_in_active(password="the first one of them")
    assert one.log_in().token

    issue(one)

    with pytest.raises(LoginRefused):
        one.log_in("the first one of them")


def test_a_temporary_password_is_good_for_a_week(company: Company, clock: TravelingClock) -> None:
    """Seven days from activation, and not a moment longer."""
    one = company.let_in_active()
    clock.advance(days=7, seconds=-5)
    assert one.log_in().must_change_password
    clock.advance(seconds=5)

    with pytest.raises(LoginRefused) as refused:
        one.log_in()
    assert refused.value.why == "temporary_password_expired"


def test_its_week_begins_when_its_owner_is_told(company: Company, clock: TravelingClock) -> None:
    """A sub-user created long before being activated has the whole of it."""
    one = company.let_in()
    clock.advance(days=30)
    one.change(active=True)
    clock.advance(days=6)

    assert one.log_in().must_change_password


def test_a_password_of_ones_own_does_not_expire(company: Company, clock: TravelingClock) -> None:
    """No rotation."""
    one = company.let_in_settled()
    clock.advance(days=1000)

    assert not one.log_in().must_change_password


def test_new_access_data_helps_after_the_week(service: Service, company: Company, clock: TravelingClock) -> None:
    """Sent again, it is good for a week from then on."""
    one = company.let_in_active()
    clock.advance(days=8)
    send_again(one)
    *_, mail = deliver_mails(service)
    clock.advance(days=6)

    assert one.log_in(mailed_password(mail)).token


def test_a_password_of_ones_own_ends_every_session_and_opens_one(service: Service, company: Company) -> None:
    """The temporary password, and whatever was opened with it, is good for nothing from then on."""
    one = company.let_in_active()
    first, second = one.log_in().token, one.log_in().token

    opened = service.sessions.change_own_password(first, one.password, "a password of my own", PORTAL).value

    assert (opened.must_change_password, opened.permissions) == (False, OPERATIONAL)
    assert one.has_session(opened.token)
    assert not one.has_session(first)
    assert not one.has_session(second)
    with pytest.raises(LoginRefused):
        one.log_in()
    assert one.log_in("a password of my own").token
    assert one.state().must_change_password is False


def test_the_sub_user_is_told_that_their_password_was_changed(service: Service, company: Company) -> None:
    """By a mail without any password."""
    one = company.let_in_active()
    deliver_mails(service)
    one.choose_password("a password of my own")

    *_, mail = deliver_mails(service)

    assert one.email in str(mail["To"])
    assert "a password of my own" not in mail.as_string()
    assert one.state().credentials_mail == "sent"


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
def test_not_every_new_password_will_do(
    service: Service, company: Company, current: str | None, new: str, field: str, reason: str
) -> None:
    """A refused change has changed nothing: neither password nor session."""
    one = company.let_in_active()
    token = one.log_in().token

    with pytest.raises(InvalidValue) as refused:
        service.sessions.change_own_password(token, current or one.password, new, PORTAL)

    assert (refused.value.field, refused.value.reason) == (field, reason)
    assert one.has_session(token)
    assert one.log_in().token


def test_a_password_is_not_changed_without_a_session(service: Service, company: Company) -> None:
    """Knowing it is not enough."""
    one = company.let_in_active()
    token = one.log_in().token
    service.sessions.log_out(token, PORTAL)

    with pytest.raises(SessionEnded):
        service.sessions.change_own_password(token, one.password, "a password of my own", PORTAL)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "must have 15 to 128 characters"),
        ("passwordpassword", "is too common or too easily guessed"),
        ("my name is Hopper, really", "must not contain the e-mail address or the name"),
    ],
)
def test_the_main_account_cannot_set_a_bad_one_either(company: Company, password: str, reason: str) -> None:
    """Not when creating, and not when changing, where nothing else is changed then."""
    with pytest.raises(InvalidValue) as refused:
        company.let_in(password=password)
    assert (refused.value.field, refused.value.reason) == ("password", reason)

    one = company.let_in()
    with pytest.raises(InvalidValue):
        one.change(password=password, active=True, visible=False)
    assert (one.state().active, one.state().visible) == (False, True)


def test_a_new_name_counts_for_the_password_that_comes_with_it(company: Company) -> None:
    """Both in one command."""
    one = company.let_in()

    with pytest.raises(InvalidValue):
        one.change(password="lovelace had the idea", surname="Lovelace")


def test_changing_what_is_already_so_changes_nothing(company: Company) -> None:
    """A repeated command is no event, and no new access data."""
    one = company.let_in_settled()
    before = kinds(company)

    one.change(name="Grace", surname="Hopper", visible=True, active=True, expiry_given=True, access_expires_at=None)

    assert kinds(company) == before
    assert one.log_in().token


def test_who_asked_for_what_is_in_the_history(service: Service, company: Company) -> None:
    """With the request, the client, and the reason where one was given."""
    one = company.let_in()
    asked = Origin(PORTAL.actor_type, "key 7", request_id="r-77", ip="192.0.2.99", user_agent="curl", reason="because")
    service.sub_users.change(company.account_id, one.sub_user_id, SubUserChanges(visible=False), asked)

    event: Any = list(service.main_accounts.events.get(company.account_id))[-1]
    key = service.vault.entries([company.account_id])[company.account_id].key
    assert (event.actor_type, event.actor_id, event.request_id) == ("main_account", "key 7", "r-77")
    assert [key.open(name, getattr(event, name)) for name in ("ip", "user_agent", "reason")] == [
        "192.0.2.99",
        "curl",
        "because",
    ]
