"""Ending one session, or all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.cause import ActorType, Cause
from domain.events import SubUserLoggedOut
from domain.main_account import MainAccount
from domain.refusals import SubUserNotFound
from tests.domain.facts import CLOSED, MARIA, NOBODY, REGISTERED, SESSION, activated, created, deactivated
from tests.domain.given_when_then import Fact, fact, given, then_refused, when

if TYPE_CHECKING:
    from uuid import UUID

ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]
BY_MARIA = Cause(ActorType.SUB_USER, str(MARIA))


def logged_out(session_id: UUID | None) -> Fact:
    return fact(SubUserLoggedOut, sub_user_id=MARIA, session_id=session_id)


def test_a_sub_user_ends_their_session() -> None:
    recorded = when(given(*ACTIVE), MainAccount.log_out, MARIA, SESSION, by=BY_MARIA)
    assert recorded == [logged_out(SESSION)]


def test_the_main_account_ends_them_all() -> None:
    """None stands for every session there is."""
    assert when(given(*ACTIVE), MainAccount.log_out, MARIA, None) == [logged_out(None)]


def test_ending_all_sessions_again_is_recorded_again() -> None:
    """Which sessions there are is not known here: they may have logged in meanwhile."""
    assert when(given(*ACTIVE, logged_out(None)), MainAccount.log_out, MARIA, None) == [logged_out(None)]


@pytest.mark.parametrize("last", [deactivated(MARIA), CLOSED], ids=["inactive", "account closed"])
def test_whoever_has_no_access_can_still_be_logged_out(last: Fact) -> None:
    """Ending a session is never refused for want of access."""
    assert when(given(*ACTIVE, last), MainAccount.log_out, MARIA, SESSION) == [logged_out(SESSION)]


def test_logging_out_takes_nothing_away_but_the_session() -> None:
    """They may log in again."""
    account = given(*ACTIVE)
    before = account.sub_user(MARIA)
    when(account, MainAccount.log_out, MARIA, None)
    assert account.sub_user(MARIA) == before


def test_nobody_unknown_is_logged_out() -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.log_out, NOBODY, SESSION)
