"""Logging in: with three things that are right, and in no other way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from argon2 import PasswordHasher

from adapters.passwords import Argon2Passwords
from application.accounts import AccountChanges
from application.new_session import SESSION_LIFETIME
from application.records import PasswordSet
from domain.permissions import OPERATIONAL
from domain.refusals import LoginRefused
from tests.people import PORTAL, Company, client, kinds
from tests.postgres import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from tests.conftest import TravelingClock
    from tests.people import Collaborator


def last_refusal(company: Company) -> str | None:
    refusals = [e for e in company.service.main_accounts.events.get(company.account_id) if hasattr(e, "why")]
    return refusals[-1].why if refusals else None


def wrong_password(one: Collaborator, _: TravelingClock) -> tuple[str, str, str]:
    return one.company.email, one.email, "not the right one"


def unknown_sub_user(one: Collaborator, _: TravelingClock) -> tuple[str, str, str]:
    return one.company.email, "nobody@company.example", one.password


def unknown_account(one: Collaborator, _: TravelingClock) -> tuple[str, str, str]:
    return "nobody@company.example", one.email, one.password


def sub_user_of_another_account(one: Collaborator, _: TravelingClock) -> tuple[str, str, str]:
    return Company.register(one.company.service).email, one.email, one.password


def inactive(one: Collaborator, _: TravelingClock) -> tuple[str, str, str]:
    one.change(active=False)
    return one.company.email, one.email, one.password


def expired(one: Collaborator, clock: TravelingClock) -> tuple[str, str, str]:
    one.change(expiry_given=True, access_expires_at=clock() + timedelta(hours=1))
    clock.advance(hours=1)
    return one.company.email, one.email, one.password


def locked(one: Collaborator, _: TravelingClock) -> tuple[str, str, str]:
    account = one.company.state()
    cause = PORTAL.by_nobody_known().sealed_with(
        one.company.service.vault.entries([one.sub_user_id])[one.sub_user_id].key
    )
    account.note_refused_login(one.sub_user_id, "wrong_password", 100, at=one.company.service.clock(), cause=cause)
    one.company.service.main_accounts.save(account)
    return one.company.email, one.email, one.password


def deleted(one: Collaborator, _: TravelingClock) -> tuple[str, str, str]:
    one.delete()
    return one.company.email, one.email, one.password


def closed(one: Collaborator, _: TravelingClock) -> tuple[str, str, str]:
    one.company.service.accounts.close(one.company.account_id, PORTAL)
    return one.company.email, one.email, one.password


def temporary_password_expired(one: Collaborator, clock: TravelingClock) -> tuple[str, str, str]:
    one.change(password="a phrase for a week")
    clock.advance(days=7)
    return one.company.email, one.email, "a phrase for a week"


REASONS: dict[Callable[[Collaborator, TravelingClock], tuple[str, str, str]], str | None] = {
    wrong_password: "wrong_password",
    unknown_sub_user: "unknown",
    unknown_account: None,
    sub_user_of_another_account: None,
    inactive: "inactive",
    expired: "expired",
    locked: "locked",
    deleted: "unknown",
    closed: None,
    temporary_password_expired: "temporary_password_expired",
}


@pytest.mark.parametrize("reason", REASONS)
def test_every_refusal_is_the_same_to_the_caller(
    company: Company,
    clock: TravelingClock,
    reason: Callable[[Collaborator, TravelingClock], tuple[str, str, str]],
) -> None:
    """One error with one message, whatever was wrong; the reason is in the account's history alone."""
    one = company.let_in_settled()
    account_email, email, password = reason(one, clock)

    with pytest.raises(LoginRefused) as refused:
        company.service.sessions.log_in(account_email, email, password, PORTAL)

    assert type(refused.value) is LoginRefused
    assert str(refused.value) == (
        "The main account e-mail, the sub-user e-mail or the password is wrong, or access is not active."
    )
    assert last_refusal(company) == REASONS[reason]


def test_a_refused_login_of_a_stranger_names_nobody(company: Company) -> None:
    """The history says that somebody tried, from where, and about nobody in particular; no password is in it."""
    with pytest.raises(LoginRefused):
        company.service.sessions.log_in(
            company.email, "nobody@company.example", "a canary phrase", client("192.0.2.77")
        )

    event: Any = list(company.service.main_accounts.events.get(company.account_id))[-1]
    assert event.sub_user_id is None
    assert (event.actor_type, event.actor_id) == ("anonymous", None)
    key = company.service.vault.entries([company.account_id])[company.account_id].key
    assert key.open("ip", event.ip) == "192.0.2.77"


def test_emails_are_compared_whatever_their_case(company: Company) -> None:
    """The account's and the sub-user's."""
    one = company.let_in_settled("Grace.Hopper@Company.example")

    opened = company.service.sessions.log_in(
        company.email.upper(), " GRACE.HOPPER@COMPANY.EXAMPLE ", one.password, PORTAL
    ).value

    assert opened.sub_user_id == one.sub_user_id


def test_the_same_person_may_be_let_in_by_several_accounts(service: Service, company: Company) -> None:
    """Each account's password opens that account."""
    other = Company.register(service)
    here, there = (
        company.let_in_active("grace@company.example"),
        other.let_in_active("grace@company.example", password="other words here"),
    )

    assert here.log_in().account_id == company.account_id
    assert there.log_in().account_id == other.account_id
    with pytest.raises(LoginRefused):
        here.log_in("other words here")


def test_an_email_is_free_again_after_deletion(company: Company) -> None:
    """Somebody new may have it, and has nothing of the one before: neither password nor sessions."""
    before = company.let_in_settled("grace@company.example")
    token = before.log_in().token
    before.delete()

    after = company.let_in_active("Grace@company.example", password="entirely other words")

    assert after.sub_user_id != before.sub_user_id
    assert after.log_in().sub_user_id == after.sub_user_id
    assert not before.has_session(token)
    with pytest.raises(LoginRefused):
        before.log_in()


def test_sub_users_follow_their_account_to_its_new_email(service: Service, company: Company) -> None:
    """The old e-mail opens nothing from then on, and another account may have it."""
    one = company.let_in_settled()
    service.accounts.change(company.account_id, AccountChanges(email="new@company.example"), PORTAL)

    with pytest.raises(LoginRefused):
        one.log_in()
    assert service.sessions.log_in("NEW@company.example", one.email, one.password, PORTAL).value.token
    assert Company.register(service, company.email).account_id != company.account_id


def test_a_session_says_what_it_is(company: Company, clock: TravelingClock) -> None:
    """Whose, until when, and what it allows; never how it was come by."""
    one = company.let_in_settled()
    opened = one.log_in(origin=client("192.0.2.9"))
    session = company.service.sessions.current(opened.token)

    assert (session.account_id, session.person_id, session.restricted) == (company.account_id, one.sub_user_id, False)
    assert opened.permissions == OPERATIONAL
    assert abs(opened.expires_at - clock() - SESSION_LIFETIME) < timedelta(seconds=30)
    (listed, *_) = company.service.sub_users.sessions(company.account_id, one.sub_user_id)
    assert (listed.session_id, listed.ip, listed.user_agent) == (session.session_id, "192.0.2.9", PORTAL.user_agent)


def test_a_login_is_recorded_with_where_it_came_from(company: Company) -> None:
    """By the sub-user, and readable with the sub-user's key only."""
    one = company.let_in_settled()
    one.log_in(origin=client("192.0.2.10"))

    event: Any = list(company.service.main_accounts.events.get(company.account_id))[-1]
    entry = company.service.vault.entries([one.sub_user_id])[one.sub_user_id]
    assert (event.actor_type, event.actor_id) == ("sub_user", str(one.sub_user_id))
    assert entry.key.open("ip", event.ip) == "192.0.2.10"


def test_an_outdated_hash_is_made_anew_at_login(service: Service, company: Company) -> None:
    """When the parameters have changed: the same password, without any event of its own, and only if it was right."""
    one = company.let_in_settled()
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(one.password)
    credentials = one.state().credentials
    weak_one = PasswordSet(
        one.sub_user_id, weak, must_change=False, expires_at=None, credentials=credentials, sealed_password=None
    )
    service.main_accounts.save(records=[weak_one])

    with pytest.raises(LoginRefused):
        one.log_in("not the right one")
    assert service.vault.entries([one.sub_user_id])[one.sub_user_id].password_hash == weak
    one.log_in()

    made_anew = service.vault.entries([one.sub_user_id])[one.sub_user_id].password_hash
    assert made_anew is not None
    assert not Argon2Passwords(1).is_outdated(made_anew)
    assert one.log_in().token


@pytest.mark.parametrize("odd", ["", "\x00", "\ud800", "x" * 100_000, "a@b@c", "'; DROP TABLE vault; --"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_odd_input_is_refused_like_any_other(company: Company, odd: str, place: int) -> None:
    """Whatever somebody sends as an e-mail or a password, the answer is the usual no."""
    one = company.let_in_active()
    given = [company.email, one.email, one.password]
    given[place] = odd

    with pytest.raises(LoginRefused):
        company.service.sessions.log_in(given[0], given[1], given[2], PORTAL)


def test_the_history_of_refusals_is_bounded(company: Company, clock: TravelingClock, database_url: str) -> None:
    """Guessing e-mails by the hundred does not lengthen an account's history by hundreds."""
    before = len(kinds(company))
    for n in range(60):
        with pytest.raises(LoginRefused):
            company.service.sessions.log_in(
                company.email, f"guess-{n}@company.example", "a guess", client(f"10.0.0.{n}")
            )

    assert len(kinds(company)) - before < 15
    assert ask(database_url, "SELECT count(*) FROM throttle")[0][0] > 60
