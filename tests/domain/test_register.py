"""Registering a main account."""

from __future__ import annotations

from tests.domain.event_builders import REGISTERED, registered
from tests.domain.given_when_then import ACCOUNT, BY_OWNER, NOW, recorded


def test_new_account_has_the_default_limit() -> None:
    """The limit is ten sub-users, until support raises it (rule 8)."""
    assert recorded(registered(), NOW, BY_OWNER) == [REGISTERED]
    assert REGISTERED.fields["sub_user_limit"] == 10


def test_new_account_is_open_and_empty() -> None:
    """Its id and time are those of the command."""
    account = registered()
    assert (account.id, account.version, account.created_on) == (ACCOUNT, 1, NOW)
    assert (account.sub_users, account.closed_at) == ({}, None)
