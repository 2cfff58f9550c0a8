"""The main account resets a sub-user's password (rules 2, 3, 5 and 6)."""

from __future__ import annotations

import pytest

from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed, SubUserNotFound
from domain.sub_user import Notice, SubUserEdit
from tests.domain.event_builders import (
    CLOSED,
    MARIA,
    REGISTERED,
    UNKNOWN_SUB_USER,
    activated,
    created,
    deactivated,
    locked_out,
    password_changed,
    password_reset,
    unlocked,
)
from tests.domain.given_when_then import EventSpec, given, then_refused, when

INACTIVE = [REGISTERED, created(MARIA)]
ACTIVE = [*INACTIVE, activated(MARIA)]
DEACTIVATED = [*ACTIVE, deactivated(MARIA)]
NEW_PASSWORD = SubUserEdit(new_password=True)


def edit_maria(account: MainAccount, edit: SubUserEdit = NEW_PASSWORD) -> list[EventSpec]:
    return when(account, MainAccount.edit_sub_user, MARIA, edit)


def test_new_password_of_an_active_sub_user_is_mailed() -> None:
    account = given(*ACTIVE)
    assert edit_maria(account) == [password_reset(MARIA, credentials=2, notice=Notice.RESET)]
    assert account.sub_user(MARIA).credentials_version == 2


@pytest.mark.parametrize("history", [INACTIVE, DEACTIVATED], ids=["never activated", "deactivated"])
def test_new_password_of_an_inactive_sub_user_is_not_mailed(history: list[EventSpec]) -> None:
    """The activation will mail it."""
    assert edit_maria(given(*history)) == [password_reset(MARIA, credentials=2, notice=Notice.NONE)]


def test_reset_replaces_an_own_password_with_a_temporary_one() -> None:
    """The sub-user must choose their own password again (rule 5)."""
    account = given(*ACTIVE, password_changed(MARIA, credentials=2))
    assert edit_maria(account) == [password_reset(MARIA, credentials=3, notice=Notice.RESET)]
    assert account.sub_user(MARIA).must_change_password is True


def test_each_reset_replaces_the_previous_password() -> None:
    account = given(*ACTIVE, password_reset(MARIA, credentials=2, notice=Notice.RESET))
    assert edit_maria(account) == [password_reset(MARIA, credentials=3, notice=Notice.RESET)]


@pytest.mark.parametrize(
    ("history", "notice"), [(ACTIVE, Notice.RESET), (DEACTIVATED, Notice.NONE)], ids=["active", "inactive"]
)
def test_new_password_lifts_a_lock(history: list[EventSpec], notice: Notice) -> None:
    account = given(*history, locked_out(MARIA))
    assert edit_maria(account) == [password_reset(MARIA, credentials=2, notice=notice), unlocked(MARIA)]
    assert account.sub_user(MARIA).locked is False


def test_password_set_with_the_first_activation_is_mailed() -> None:
    """One event and one mail: the activation includes the reset."""
    edit = SubUserEdit(active=True, new_password=True)
    assert edit_maria(given(*INACTIVE), edit) == [activated(MARIA, credentials=2, notice=Notice.ACTIVATION)]


def test_password_set_with_a_reactivation_is_mailed() -> None:
    """The given password is issued instead of a generated one."""
    edit = SubUserEdit(active=True, new_password=True)
    assert edit_maria(given(*DEACTIVATED), edit) == [activated(MARIA, credentials=2, notice=Notice.REACTIVATION)]


def test_password_of_an_active_sub_user_is_reset_even_if_the_edit_activates() -> None:
    """`active=True` changes nothing, so only the password changes."""
    edit = SubUserEdit(active=True, new_password=True)
    assert edit_maria(given(*ACTIVE), edit) == [password_reset(MARIA, credentials=2, notice=Notice.RESET)]


def test_password_set_with_a_deactivation_is_not_mailed() -> None:
    """The sub-user loses access in the same edit."""
    edit = SubUserEdit(active=False, new_password=True)
    assert edit_maria(given(*ACTIVE), edit) == [
        deactivated(MARIA),
        password_reset(MARIA, credentials=2, notice=Notice.NONE),
    ]


def test_unknown_sub_user_gets_no_password() -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.edit_sub_user, UNKNOWN_SUB_USER, NEW_PASSWORD)


def test_sub_user_of_a_closed_account_gets_no_password() -> None:
    then_refused(AccountIsClosed, given(*ACTIVE, CLOSED), MainAccount.edit_sub_user, MARIA, NEW_PASSWORD)
