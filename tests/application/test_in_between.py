"""What happens between a password's being verified and the decision that rests on it is not overlooked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from adapters.passwords import Argon2Passwords
from adapters.postgres.sessions import PostgresSessions
from application.accounts import AccountChanges
from application.errors import SessionEnded
from domain.refusals import LoginRefused, SubUserNotFound
from tests.people import PORTAL, client

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.people import Collaborator, Company


def reset(one: Collaborator) -> None:
    one.change(password="another phrase for now")


def deactivate(one: Collaborator) -> None:
    one.change(active=False)


def deactivate_and_activate(one: Collaborator) -> None:
    one.change(active=False)
    one.change(active=True)


def let_expire(one: Collaborator) -> None:
    one.change(expiry_given=True, access_expires_at=one.company.service.clock())


def delete(one: Collaborator) -> None:
    one.delete()


def close_account(one: Collaborator) -> None:
    one.company.service.accounts.close(one.company.account_id, PORTAL)


def end_sessions(one: Collaborator) -> None:
    one.company.service.sub_users.end_sessions(one.company.account_id, one.sub_user_id, PORTAL)


HAPPENINGS = [reset, deactivate, deactivate_and_activate, let_expire, delete, close_account]


def after(monkeypatch: pytest.MonkeyPatch, worker: type, method: str, happen: Callable[[], object]) -> None:
    """Have something happen between a piece of work and what is made of it, the first time that it is done."""
    work = getattr(worker, method)

    def work_and_let_happen(self: object, *arguments: Any) -> Any:
        worked = work(self, *arguments)
        monkeypatch.setattr(worker, method, work)
        happen()
        return worked

    monkeypatch.setattr(worker, method, work_and_let_happen)


def meanwhile(monkeypatch: pytest.MonkeyPatch, method: str, happen: Callable[[], object]) -> None:
    """Have something happen while a password is worked on, the first time that one is."""
    after(monkeypatch, Argon2Passwords, method, happen)


@pytest.mark.parametrize("happening", HAPPENINGS)
def test_access_lost_while_logging_in_is_lost(
    company: Company, monkeypatch: pytest.MonkeyPatch, happening: Callable[[Collaborator], None]
) -> None:
    """The password was right when it was verified, and is good for nothing by the time the session would be opened."""
    one = company.let_in_settled()
    end_sessions(one)
    meanwhile(monkeypatch, "verify", lambda: happening(one))

    with pytest.raises(LoginRefused):
        one.log_in()

    assert sessions_of(one) == []


@pytest.mark.parametrize("happening", [*HAPPENINGS, end_sessions])
def test_access_lost_while_choosing_a_password_is_lost(
    company: Company, monkeypatch: pytest.MonkeyPatch, happening: Callable[[Collaborator], None]
) -> None:
    """No session comes of it, and the password of one's own does not replace what was issued meanwhile."""
    one = company.let_in_settled()
    token = one.log_in().token
    meanwhile(monkeypatch, "hash", lambda: happening(one))

    with pytest.raises((SessionEnded, LoginRefused, SubUserNotFound)):
        company.service.sessions.change_own_password(token, one.password, "a chosen phrase too late", PORTAL)

    assert sessions_of(one) == []
    with pytest.raises(LoginRefused):
        one.log_in("a chosen phrase too late")


def sessions_of(one: Collaborator) -> list[Any]:
    try:
        return one.company.service.sub_users.sessions(one.company.account_id, one.sub_user_id)
    except SubUserNotFound:
        return []


def test_a_password_chosen_meanwhile_is_the_one_that_counts(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who logs in with the one before at that very moment is refused."""
    one = company.let_in_settled()
    token = one.log_in().token
    sessions = company.service.sessions

    def choose() -> None:
        sessions.change_own_password(token, one.password, "a newly chosen phrase", PORTAL)

    meanwhile(monkeypatch, "verify", choose)

    with pytest.raises(LoginRefused):
        one.log_in()

    assert len(sessions_of(one)) == 1
    assert one.log_in("a newly chosen phrase").token


def test_who_changes_a_password_that_was_just_changed_hears_of_an_ended_session(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of a wrong current password, which it was not when they sent it and would count against them."""
    one = company.let_in_settled()
    token = one.log_in().token
    change = partial(company.service.sessions.change_own_password, token, one.password)
    after(monkeypatch, PostgresSessions, "find", lambda: change("a newly chosen phrase", PORTAL))

    with pytest.raises(SessionEnded):
        change("another one at that moment", PORTAL)

    assert one.log_in("a newly chosen phrase").token


def test_an_owner_who_changes_a_password_that_was_just_changed_hears_of_an_ended_session(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a sub-user does."""
    sessions, here = company.service.owner_sessions, client("192.0.2.1")
    company.service.accounts.change(company.account_id, AccountChanges(password="seven wet umbrellas"), PORTAL)
    token = sessions.log_in(company.email, "seven wet umbrellas", here).value.token
    change = partial(sessions.change_password, token, "seven wet umbrellas")
    after(monkeypatch, PostgresSessions, "find", lambda: change("eight dry umbrellas", here))

    with pytest.raises(SessionEnded):
        change("nine old umbrellas", here)

    assert sessions.log_in(company.email, "eight dry umbrellas", here).value.token
