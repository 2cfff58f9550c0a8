"""A sub-user chooses their own password (rule 5)."""

from __future__ import annotations

import pytest

from domain.main_account import MainAccount
from domain.refusals import LoginRefused, SubUserNotFound
from tests.domain.event_builders import (
    CLOSED,
    MARIA,
    REGISTERED,
    SESSION,
    UNKNOWN_SUB_USER,
    activated,
    created,
    deactivated,
    expiry_set,
    locked_out,
    logged_in,
    password_changed,
    unlocked,
)
from tests.domain.given_when_then import NOW, EventSpec, given, then_refused, when

ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]


def test_own_password_opens_an_unrestricted_session() -> None:
    """The change ends every session, so the new session is opened after it."""
    account = given(*ACTIVE)
    assert when(account, MainAccount.change_own_password, MARIA, SESSION) == [
        password_changed(MARIA, credentials=2),
        logged_in(MARIA, with_temporary_password=False),
    ]
    maria = account.sub_user(MARIA)
    assert (maria.must_change_password, maria.credentials_version, maria.last_login_at) == (False, 2, NOW)


def test_each_change_replaces_the_previous_password() -> None:
    account = given(*ACTIVE, password_changed(MARIA, credentials=2))
    assert when(account, MainAccount.change_own_password, MARIA, SESSION) == [
        password_changed(MARIA, credentials=3),
        logged_in(MARIA, with_temporary_password=False),
    ]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (deactivated(MARIA), "inactive"),
        (expiry_set(MARIA, NOW), "expired"),
        (CLOSED, "account_closed"),
    ],
    ids=["inactive", "expired", "account closed"],
)
def test_sub_user_without_access_cannot_change_the_password(event: EventSpec, why: str) -> None:
    """Access may end after the session was checked (rule 6)."""
    account = given(*ACTIVE, event)
    assert then_refused(LoginRefused, account, MainAccount.change_own_password, MARIA, SESSION).why == why


def test_own_password_ends_a_lock() -> None:
    """The correct current password proves that this is not an attacker."""
    account = given(*ACTIVE, locked_out(MARIA))
    assert when(account, MainAccount.change_own_password, MARIA, SESSION) == [
        password_changed(MARIA, credentials=2),
        unlocked(MARIA),
        logged_in(MARIA, with_temporary_password=False),
    ]


def test_unknown_sub_user_cannot_change_a_password() -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.change_own_password, UNKNOWN_SUB_USER, SESSION)
