"""Closing a main account."""

from __future__ import annotations

from domain.main_account import MainAccount
from tests.domain.facts import CLOSED, MARIA, REGISTERED, activated, created
from tests.domain.given_when_then import NOW, given, when


def test_an_account_is_closed() -> None:
    """It is closed as of the command's own time."""
    account = given(REGISTERED)
    assert when(account, MainAccount.close) == [CLOSED]
    assert account.closed_at == NOW


def test_closing_twice_is_closing_once() -> None:
    """A repeated command changes nothing."""
    assert when(given(REGISTERED, CLOSED), MainAccount.close) == []


def test_a_closed_account_gives_nobody_access() -> None:
    """Also those who were active have none (what ends with it is told by the sub-user tests)."""
    account = given(REGISTERED, created(MARIA), activated(MARIA), CLOSED)
    assert account.why_no_access(account.sub_user(MARIA), NOW) == "account_closed"
