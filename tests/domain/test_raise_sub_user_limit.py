"""Raising the sub-user limit of an account (rule 8)."""

from __future__ import annotations

import pytest

from domain.events import SubUserLimitRaised
from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed, LimitNotRaised
from tests.domain.event_builders import CLOSED, REGISTERED
from tests.domain.given_when_then import event_spec, given, then_refused, when

RAISED_TO_25 = event_spec(SubUserLimitRaised, sub_user_limit=25)


def test_raise_is_recorded() -> None:
    account = given(REGISTERED)
    assert when(account, MainAccount.raise_sub_user_limit, 25) == [RAISED_TO_25]
    assert account.sub_user_limit == 25


def test_unchanged_limit_records_no_event() -> None:
    assert when(given(REGISTERED, RAISED_TO_25), MainAccount.raise_sub_user_limit, 25) == []


@pytest.mark.parametrize("limit", [24, 10, 0, -1])
def test_limit_is_never_lowered(limit: int) -> None:
    """An earlier value is refused, too."""
    then_refused(LimitNotRaised, given(REGISTERED, RAISED_TO_25), MainAccount.raise_sub_user_limit, limit)


def test_limit_of_a_closed_account_cannot_be_raised() -> None:
    then_refused(AccountIsClosed, given(REGISTERED, CLOSED), MainAccount.raise_sub_user_limit, 25)
