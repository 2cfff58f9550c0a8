"""Closing a main account."""

from __future__ import annotations

from domain.main_account import MainAccount
from tests.domain.event_builders import CLOSED, MARIA, REGISTERED, activated, created
from tests.domain.given_when_then import NOW, given, when


def test_account_is_closed_at_the_time_of_the_command() -> None:
    account = given(REGISTERED)
    assert when(account, MainAccount.close) == [CLOSED]
    assert account.closed_at == NOW


def test_closing_twice_records_one_event() -> None:
    assert when(given(REGISTERED, CLOSED), MainAccount.close) == []


def test_closed_account_gives_no_access() -> None:
    """Active sub-users have no access, either."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), CLOSED)
    assert account.access_refusal(account.sub_user(MARIA), NOW) == "account_closed"
