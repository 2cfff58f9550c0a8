"""A sub-user sets a password of their own (rule 5)."""

from __future__ import annotations

import pytest

from domain.main_account import MainAccount
from domain.refusals import LoginRefused, SubUserNotFound
from tests.domain.facts import (
    CLOSED,
    MARIA,
    NOBODY,
    REGISTERED,
    SESSION,
    activated,
    created,
    deactivated,
    expiry_set,
    locked_out,
    logged_in,
    password_changed,
)
from tests.domain.given_when_then import NOW, Fact, given, then_refused, when

ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]


def test_it_comes_with_a_new_unrestricted_session() -> None:
    """The change ends every session, in that order, and so a new one is opened after it."""
    account = given(*ACTIVE)
    assert when(account, MainAccount.change_own_password, MARIA, SESSION) == [
        password_changed(MARIA, credentials=2),
        logged_in(MARIA, with_temporary_password=False),
    ]
    maria = account.sub_user(MARIA)
    assert (maria.must_change_password, maria.credentials, maria.last_login_at) == (False, 2, NOW)


def test_changing_it_again_replaces_it_again() -> None:
    """A repeated command is another password: the one before counts no more."""
    account = given(*ACTIVE, password_changed(MARIA, credentials=2))
    assert when(account, MainAccount.change_own_password, MARIA, SESSION) == [
        password_changed(MARIA, credentials=3),
        logged_in(MARIA, with_temporary_password=False),
    ]


@pytest.mark.parametrize(
    ("fact", "why"),
    [
        (deactivated(MARIA), "inactive"),
        (locked_out(MARIA), "locked"),
        (expiry_set(MARIA, NOW), "expired"),
        (CLOSED, "account_closed"),
    ],
    ids=["inactive", "locked", "expired", "account closed"],
)
def test_without_access_nobody_sets_a_password(fact: Fact, why: str) -> None:
    """A session may have been found good a moment before its access ended (rule 6)."""
    account = given(*ACTIVE, fact)
    assert then_refused(LoginRefused, account, MainAccount.change_own_password, MARIA, SESSION).why == why


def test_nobody_unknown_sets_a_password() -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.change_own_password, NOBODY, SESSION)
