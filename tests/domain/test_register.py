"""Registering a main account."""

from __future__ import annotations

from domain.cause import Sealed
from domain.main_account import MainAccount
from tests.domain.facts import REGISTERED
from tests.domain.given_when_then import ACCOUNT, BY_OWNER, NOW, recorded


def register() -> MainAccount:
    return MainAccount.register(
        ACCOUNT,
        email=Sealed("owner's e-mail"),
        email_hash="hash of owner's e-mail",
        company_name=Sealed("Acme"),
        language="en",
        at=NOW,
        cause=BY_OWNER,
    )


def test_an_account_starts_with_the_usual_limit() -> None:
    """Ten sub-users, unless support raises it (rule 8)."""
    assert recorded(register(), NOW, BY_OWNER) == [REGISTERED]
    assert REGISTERED.fields["sub_user_limit"] == 10


def test_a_new_account_is_open_and_empty() -> None:
    """Its id is the one it was given, and its time is the command's, not the clock's."""
    account = register()
    assert (account.id, account.version, account.created_on) == (ACCOUNT, 1, NOW)
    assert (account.sub_users, account.closed_at) == ({}, None)
