"""Races in sign-in: changes between verifying a password and the decision that depends on it are noticed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from adapters.passwords import Argon2Passwords
from adapters.postgres.tables.sessions import PostgresSessions
from application.commands.accounts import AccountChanges
from application.errors import InvalidValue, SessionEnded
from domain.refusals import LoginRefused, SubUserNotFound
from tests.builders import PORTAL, context_from
from tests.waiting import inject_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders import Company, SubUserHandle


def reset(sub_user: SubUserHandle) -> None:
    sub_user.change(password="another phrase for now")


def deactivate(sub_user: SubUserHandle) -> None:
    sub_user.change(active=False)


def deactivate_and_activate(sub_user: SubUserHandle) -> None:
    sub_user.change(active=False)
    sub_user.change(active=True)


def change_email(sub_user: SubUserHandle) -> None:
    sub_user.change(email=f"corrected-{sub_user.email}")


def expire(sub_user: SubUserHandle) -> None:
    sub_user.change(changes_expiry=True, access_expires_at=sub_user.company.service.clock())


def delete(sub_user: SubUserHandle) -> None:
    sub_user.delete()


def close_account(sub_user: SubUserHandle) -> None:
    sub_user.company.service.commands.accounts.close(sub_user.company.account_id, PORTAL)


def end_sessions(sub_user: SubUserHandle) -> None:
    sub_user.company.service.commands.sub_users.end_sessions(sub_user.company.account_id, sub_user.sub_user_id, PORTAL)


ACCESS_CHANGES = [reset, deactivate, deactivate_and_activate, change_email, expire, delete, close_account]


def inject_during(monkeypatch: pytest.MonkeyPatch, method: str, action: Callable[[], object]) -> None:
    """Run an action once, right after a password was verified or hashed."""
    inject_after(monkeypatch, Argon2Passwords, method, action)


@pytest.mark.parametrize("change_access", ACCESS_CHANGES)
def test_access_lost_during_login_is_refused(
    company: Company, monkeypatch: pytest.MonkeyPatch, change_access: Callable[[SubUserHandle], None]
) -> None:
    """The password was correct when it was verified, but access ends before the session opens."""
    sub_user = company.create_with_own_password()
    end_sessions(sub_user)
    inject_during(monkeypatch, "verify", lambda: change_access(sub_user))

    with pytest.raises(LoginRefused):
        sub_user.log_in()

    assert sessions_of(sub_user) == []


@pytest.mark.parametrize("change_access", [*ACCESS_CHANGES, end_sessions])
def test_access_lost_while_choosing_a_password_is_refused(
    company: Company, monkeypatch: pytest.MonkeyPatch, change_access: Callable[[SubUserHandle], None]
) -> None:
    """No session opens, and the chosen password does not replace the credentials issued meanwhile."""
    sub_user = company.create_with_own_password()
    token = sub_user.log_in().token
    inject_during(monkeypatch, "hash", lambda: change_access(sub_user))

    with pytest.raises((SessionEnded, LoginRefused, SubUserNotFound)):
        company.service.commands.sub_user_sessions.change_password(
            token, sub_user.password, "a chosen phrase too late", PORTAL
        )

    assert sessions_of(sub_user) == []
    with pytest.raises(LoginRefused):
        sub_user.log_in("a chosen phrase too late")


def test_access_gained_during_login_is_granted(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The earlier, inactive state must not refuse the correct password."""
    sub_user = company.create_sub_user()
    inject_during(monkeypatch, "verify", lambda: sub_user.change(active=True))

    assert sub_user.log_in().must_change_password


@pytest.mark.parametrize("own", [False, True])
def test_new_password_is_checked_against_a_concurrently_changed_name(
    company: Company, monkeypatch: pytest.MonkeyPatch, *, own: bool
) -> None:
    """The check uses the current name when the password is saved."""
    sub_user = company.create_with_own_password()
    token = sub_user.log_in().token
    inject_during(monkeypatch, "hash", lambda: sub_user.change(surname="Marmalade"))

    own_password = partial(company.service.commands.sub_user_sessions.change_password, token, sub_user.password)
    with pytest.raises(InvalidValue):
        own_password("marmalade marmalade", PORTAL) if own else sub_user.change(password="marmalade marmalade")

    assert sub_user.log_in().token


def sessions_of(sub_user: SubUserHandle) -> list[Any]:
    try:
        return sub_user.company.service.commands.sub_users.sessions(sub_user.company.account_id, sub_user.sub_user_id)
    except SubUserNotFound:
        return []


def test_login_with_a_concurrently_replaced_password_is_refused(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub_user = company.create_with_own_password()
    token = sub_user.log_in().token
    sessions = company.service.commands.sub_user_sessions

    def choose() -> None:
        sessions.change_password(token, sub_user.password, "a newly chosen phrase", PORTAL)

    inject_during(monkeypatch, "verify", choose)

    with pytest.raises(LoginRefused):
        sub_user.log_in()

    assert len(sessions_of(sub_user)) == 1
    assert sub_user.log_in("a newly chosen phrase").token


def test_concurrent_password_change_ends_the_session(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second change must not count as a wrong current password, which was correct when it was sent."""
    sub_user = company.create_with_own_password()
    token = sub_user.log_in().token
    change = partial(company.service.commands.sub_user_sessions.change_password, token, sub_user.password)
    inject_after(monkeypatch, PostgresSessions, "find", lambda: change("a newly chosen phrase", PORTAL))

    with pytest.raises(SessionEnded):
        change("another one at that moment", PORTAL)

    assert sub_user.log_in("a newly chosen phrase").token


def test_concurrent_password_change_ends_the_owners_session(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same as for a sub-user."""
    sessions, context = company.service.commands.owner_sessions, context_from("192.0.2.1")
    company.service.commands.accounts.change(company.account_id, AccountChanges(password="seven wet umbrellas"), PORTAL)
    token = sessions.log_in(company.email, "seven wet umbrellas", context).value.token
    change = partial(sessions.change_password, token, "seven wet umbrellas")
    inject_after(monkeypatch, PostgresSessions, "find", lambda: change("eight dry umbrellas", context))

    with pytest.raises(SessionEnded):
        change("nine old umbrellas", context)

    assert sessions.log_in(company.email, "eight dry umbrellas", context).value.token
