"""The main account replaces a sub-user's password (rules 2, 3, 5 and 6)."""

from __future__ import annotations

import pytest

from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed, SubUserNotFound
from domain.sub_user import Notice, SubUserEdit
from tests.domain.facts import (
    CLOSED,
    MARIA,
    NOBODY,
    REGISTERED,
    activated,
    created,
    deactivated,
    locked_out,
    password_changed,
    password_reset,
    unlocked,
)
from tests.domain.given_when_then import Fact, given, then_refused, when

INACTIVE = [REGISTERED, created(MARIA)]
ACTIVE = [*INACTIVE, activated(MARIA)]
DEACTIVATED = [*ACTIVE, deactivated(MARIA)]
NEW_PASSWORD = SubUserEdit(new_password=True)


def edited(account: MainAccount, edit: SubUserEdit = NEW_PASSWORD) -> list[Fact]:
    return when(account, MainAccount.edit_sub_user, MARIA, edit)


def test_whoever_is_active_is_told_of_the_new_password() -> None:
    account = given(*ACTIVE)
    assert edited(account) == [password_reset(MARIA, credentials=2, notice=Notice.RESET)]
    assert account.sub_user(MARIA).credentials == 2


@pytest.mark.parametrize("facts", [INACTIVE, DEACTIVATED], ids=["never activated", "deactivated"])
def test_whoever_is_inactive_is_told_nothing(facts: list[Fact]) -> None:
    """They could not use it: the mail comes with the activation."""
    assert edited(given(*facts)) == [password_reset(MARIA, credentials=2, notice=Notice.NONE)]


def test_a_password_of_their_own_is_replaced_by_a_temporary_one() -> None:
    """They have to set another one of their own (rule 5)."""
    account = given(*ACTIVE, password_changed(MARIA, credentials=2))
    assert edited(account) == [password_reset(MARIA, credentials=3, notice=Notice.RESET)]
    assert account.sub_user(MARIA).must_change_password is True


def test_another_password_replaces_the_one_before() -> None:
    """A repeated command is another reset: only the newest password counts."""
    account = given(*ACTIVE, password_reset(MARIA, credentials=2, notice=Notice.RESET))
    assert edited(account) == [password_reset(MARIA, credentials=3, notice=Notice.RESET)]


@pytest.mark.parametrize(
    ("facts", "notice"), [(ACTIVE, Notice.RESET), (DEACTIVATED, Notice.NONE)], ids=["active", "inactive"]
)
def test_a_new_password_lifts_a_lock(facts: list[Fact], notice: Notice) -> None:
    account = given(*facts, locked_out(MARIA))
    assert edited(account) == [password_reset(MARIA, credentials=2, notice=notice), unlocked(MARIA)]
    assert account.sub_user(MARIA).locked is False


def test_a_password_set_with_the_first_activation_is_the_one_mailed() -> None:
    """One event, one mail: the activation stands for the reset."""
    edit = SubUserEdit(active=True, new_password=True)
    assert edited(given(*INACTIVE), edit) == [activated(MARIA, credentials=2, notice=Notice.ACTIVATION)]


def test_a_password_set_with_another_activation_is_the_one_mailed() -> None:
    """The new access data is that password, issued once."""
    edit = SubUserEdit(active=True, new_password=True)
    assert edited(given(*DEACTIVATED), edit) == [activated(MARIA, credentials=2, notice=Notice.REACTIVATION)]


def test_a_password_set_with_the_toggle_as_it_was_is_a_reset() -> None:
    """Active and told to be active: only the password changes."""
    edit = SubUserEdit(active=True, new_password=True)
    assert edited(given(*ACTIVE), edit) == [password_reset(MARIA, credentials=2, notice=Notice.RESET)]


def test_a_password_set_with_a_deactivation_is_told_to_nobody() -> None:
    """They lose access in the same edit."""
    edit = SubUserEdit(active=False, new_password=True)
    assert edited(given(*ACTIVE), edit) == [
        deactivated(MARIA),
        password_reset(MARIA, credentials=2, notice=Notice.NONE),
    ]


def test_nobody_unknown_gets_a_password() -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.edit_sub_user, NOBODY, NEW_PASSWORD)


def test_nobody_gets_a_password_in_a_closed_account() -> None:
    then_refused(AccountIsClosed, given(*ACTIVE, CLOSED), MainAccount.edit_sub_user, MARIA, NEW_PASSWORD)
