"""Erasing personal data: after a legal hold, with the account, and again after a restore."""

from __future__ import annotations

from domain.main_account import MainAccount
from tests.domain.event_builders import (
    CLOSED,
    LUCA,
    MARIA,
    OWNER_ERASED,
    REGISTERED,
    UNKNOWN_SUB_USER,
    created,
    deleted,
    erased,
)
from tests.domain.given_when_then import given, when


def test_deletion_under_a_hold_does_not_erase() -> None:
    """The sub-user leaves the account."""
    account = given(REGISTERED, created(MARIA))
    assert when(account, MainAccount.delete_sub_user, MARIA, under_legal_hold=True) == [deleted(MARIA)]
    assert account.sub_users == {}


def test_held_sub_user_is_erased_later() -> None:
    """The erasure is the only event."""
    account = given(REGISTERED, created(MARIA), deleted(MARIA))
    assert when(account, MainAccount.erase_sub_user, MARIA) == [erased(MARIA)]


def test_erasing_an_existing_sub_user_deletes_them() -> None:
    """This is needed after a restore, when an erased sub-user exists again."""
    account = given(REGISTERED, created(MARIA), created(LUCA))
    assert when(account, MainAccount.erase_sub_user, MARIA) == [deleted(MARIA), erased(MARIA)]
    assert list(account.sub_users) == [LUCA]


def test_erasing_an_account_erases_everyone() -> None:
    """The account is closed, then existing and held sub-users are erased once each, then the owner."""
    account = given(REGISTERED, created(MARIA), created(LUCA), deleted(LUCA))
    recorded = when(account, MainAccount.erase_all_people, [LUCA, MARIA])
    assert recorded == [CLOSED, erased(LUCA), deleted(MARIA), erased(MARIA), OWNER_ERASED]


def test_closed_account_is_erased() -> None:
    """It is not closed again, and sub-users without a vault entry are erased as well."""
    account = given(REGISTERED, created(UNKNOWN_SUB_USER), CLOSED)
    assert when(account, MainAccount.erase_all_people, []) == [
        deleted(UNKNOWN_SUB_USER),
        erased(UNKNOWN_SUB_USER),
        OWNER_ERASED,
    ]
