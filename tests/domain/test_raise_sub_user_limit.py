"""Raising how many sub-users an account may have (rule 8)."""

from __future__ import annotations

import pytest

from domain.events import SubUserLimitRaised
from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed, LimitNotRaised
from tests.domain.facts import CLOSED, REGISTERED
from tests.domain.given_when_then import fact, given, then_refused, when

RAISED_TO_25 = fact(SubUserLimitRaised, sub_user_limit=25)


def test_the_raise_is_itself_an_event() -> None:
    """The history tells who raised the limit, to what, and why."""
    account = given(REGISTERED)
    assert when(account, MainAccount.raise_sub_user_limit, 25) == [RAISED_TO_25]
    assert account.sub_user_limit == 25


def test_the_same_limit_again_is_no_event() -> None:
    """A repeated command changes nothing."""
    assert when(given(REGISTERED, RAISED_TO_25), MainAccount.raise_sub_user_limit, 25) == []


@pytest.mark.parametrize("limit", [24, 10, 0, -1])
def test_a_limit_is_never_lowered(limit: int) -> None:
    """Not even back to what it was before."""
    then_refused(LimitNotRaised, given(REGISTERED, RAISED_TO_25), MainAccount.raise_sub_user_limit, limit)


def test_a_closed_account_needs_no_room() -> None:
    """Nothing is raised any more once the account is closed."""
    then_refused(AccountIsClosed, given(REGISTERED, CLOSED), MainAccount.raise_sub_user_limit, 25)
