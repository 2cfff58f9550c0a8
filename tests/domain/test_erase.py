"""Erasing people apart from their deletion: after a legal hold, with their account, again after a restore."""

from __future__ import annotations

from domain.main_account import MainAccount
from tests.domain.facts import CLOSED, LUCA, MARIA, NOBODY, OWNER_ERASED, REGISTERED, created, deleted, erased
from tests.domain.given_when_then import given, when


def test_deleting_somebody_who_is_held_erases_nothing_yet() -> None:
    """They are gone from the account all the same."""
    account = given(REGISTERED, created(MARIA))
    assert when(account, MainAccount.delete_sub_user, MARIA, held=True) == [deleted(MARIA)]
    assert account.sub_users == {}


def test_somebody_held_is_erased() -> None:
    """When it is time, that alone is recorded."""
    account = given(REGISTERED, created(MARIA), deleted(MARIA))
    assert when(account, MainAccount.erase_sub_user, MARIA) == [erased(MARIA)]


def test_somebody_living_is_deleted_with_it() -> None:
    """As after a restore, where they live again."""
    account = given(REGISTERED, created(MARIA), created(LUCA))
    assert when(account, MainAccount.erase_sub_user, MARIA) == [deleted(MARIA), erased(MARIA)]
    assert list(account.sub_users) == [LUCA]


def test_a_whole_account_is_erased() -> None:
    """It is closed; then whoever lives in it or is held, each once, and its owner."""
    account = given(REGISTERED, created(MARIA), created(LUCA), deleted(LUCA))
    facts = when(account, MainAccount.erase_everybody, [LUCA, MARIA])
    assert facts == [CLOSED, erased(LUCA), deleted(MARIA), erased(MARIA), OWNER_ERASED]


def test_a_closed_account_is_erased() -> None:
    """Without being closed again; also of whom the vault did not know, nothing is left."""
    account = given(REGISTERED, created(NOBODY), CLOSED)
    assert when(account, MainAccount.erase_everybody, []) == [deleted(NOBODY), erased(NOBODY), OWNER_ERASED]
