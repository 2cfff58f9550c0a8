"""Deleting a sub-user (rule 7)."""

from __future__ import annotations

import pytest

from domain.main_account import MainAccount
from domain.refusals import SubUserNotFound
from tests.domain.event_builders import (
    CLOSED,
    LUCA,
    MARIA,
    REGISTERED,
    SESSION,
    UNKNOWN_SUB_USER,
    activated,
    created,
    deleted,
    erased,
)
from tests.domain.given_when_then import EventSpec, given, then_refused, when


@pytest.mark.parametrize("history", [[], [activated(MARIA)]], ids=["inactive", "active"])
def test_deletion_also_erases_personal_data(history: list[EventSpec]) -> None:
    """Two events are recorded: the deletion, and the erasure that makes the personal data unreadable."""
    account = given(REGISTERED, created(MARIA), created(LUCA), *history)
    assert when(account, MainAccount.delete_sub_user, MARIA) == [deleted(MARIA), erased(MARIA)]
    assert list(account.sub_users) == [LUCA]


def test_repeated_deletion_is_refused() -> None:
    account = given(REGISTERED, created(MARIA), deleted(MARIA), erased(MARIA))
    then_refused(SubUserNotFound, account, MainAccount.delete_sub_user, MARIA)


def test_unknown_sub_user_cannot_be_deleted() -> None:
    then_refused(SubUserNotFound, given(REGISTERED, created(MARIA)), MainAccount.delete_sub_user, UNKNOWN_SUB_USER)


def test_deleted_sub_user_cannot_log_in() -> None:
    """They cannot change their password, either, even if the request began before the deletion."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), deleted(MARIA), erased(MARIA))
    then_refused(SubUserNotFound, account, MainAccount.log_in, MARIA, SESSION)
    then_refused(SubUserNotFound, account, MainAccount.change_own_password, MARIA, SESSION)


def test_sub_user_of_a_closed_account_can_be_deleted() -> None:
    """Closing ends access, but personal data can still be erased."""
    account = given(REGISTERED, created(MARIA), CLOSED)
    assert when(account, MainAccount.delete_sub_user, MARIA) == [deleted(MARIA), erased(MARIA)]
