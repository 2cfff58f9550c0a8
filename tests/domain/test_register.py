"""Registering a main account."""

from __future__ import annotations

from tests.domain.facts import REGISTERED, registered
from tests.domain.given_when_then import ACCOUNT, BY_OWNER, NOW, recorded


def test_an_account_starts_with_the_usual_limit() -> None:
    """Ten sub-users, unless support raises it (rule 8)."""
    assert recorded(registered(), NOW, BY_OWNER) == [REGISTERED]
    assert REGISTERED.fields["sub_user_limit"] == 10


def test_a_new_account_is_open_and_empty() -> None:
    """Its id is the one it was given, and its time is the command's, not the clock's."""
    account = registered()
    assert (account.id, account.version, account.created_on) == (ACCOUNT, 1, NOW)
    assert (account.sub_users, account.closed_at) == ({}, None)
