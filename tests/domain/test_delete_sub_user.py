"""Removing a sub-user for good (rule 7)."""

from __future__ import annotations

import pytest

from domain.main_account import MainAccount
from domain.refusals import SubUserNotFound
from tests.domain.facts import CLOSED, LUCA, MARIA, NOBODY, REGISTERED, SESSION, activated, created, deleted, erased
from tests.domain.given_when_then import Fact, given, then_refused, when


@pytest.mark.parametrize("facts", [[], [activated(MARIA)]], ids=["inactive", "active"])
def test_a_sub_user_is_deleted_and_their_data_erased(facts: list[Fact]) -> None:
    """Two facts: the owner's decision, and that from then on nobody can read what was known of them."""
    account = given(REGISTERED, created(MARIA), created(LUCA), *facts)
    assert when(account, MainAccount.delete_sub_user, MARIA) == [deleted(MARIA), erased(MARIA)]
    assert list(account.sub_users) == [LUCA]


def test_deleting_twice_finds_nobody() -> None:
    """A repeated command is refused."""
    account = given(REGISTERED, created(MARIA), deleted(MARIA), erased(MARIA))
    then_refused(SubUserNotFound, account, MainAccount.delete_sub_user, MARIA)


def test_nobody_unknown_is_deleted() -> None:
    then_refused(SubUserNotFound, given(REGISTERED, created(MARIA)), MainAccount.delete_sub_user, NOBODY)


def test_a_deleted_sub_user_logs_in_no_more() -> None:
    """It is as if they had never been there, also in a command that had begun before."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), deleted(MARIA), erased(MARIA))
    then_refused(SubUserNotFound, account, MainAccount.log_in, MARIA, SESSION)
    then_refused(SubUserNotFound, account, MainAccount.change_own_password, MARIA, SESSION)


def test_in_a_closed_account_people_can_still_be_forgotten() -> None:
    """Closing ends access; what is held about people must not outlive their wish to be forgotten."""
    account = given(REGISTERED, created(MARIA), CLOSED)
    assert when(account, MainAccount.delete_sub_user, MARIA) == [deleted(MARIA), erased(MARIA)]
