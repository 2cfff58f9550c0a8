"""Ending one session or all sessions of a sub-user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.event_metadata import ActorType, EventMetadata
from domain.events import SubUserLoggedOut
from domain.main_account import MainAccount
from domain.refusals import SubUserNotFound
from tests.domain.event_builders import (
    CLOSED,
    MARIA,
    REGISTERED,
    SESSION,
    UNKNOWN_SUB_USER,
    activated,
    created,
    deactivated,
)
from tests.domain.given_when_then import EventSpec, event_spec, given, then_refused, when

if TYPE_CHECKING:
    from uuid import UUID

ACTIVE = [REGISTERED, created(MARIA), activated(MARIA)]
BY_MARIA = EventMetadata(ActorType.SUB_USER, str(MARIA))


def logged_out(session_id: UUID | None) -> EventSpec:
    return event_spec(SubUserLoggedOut, sub_user_id=MARIA, session_id=session_id)


def test_sub_user_ends_one_session() -> None:
    recorded = when(given(*ACTIVE), MainAccount.log_out, MARIA, SESSION, by=BY_MARIA)
    assert recorded == [logged_out(SESSION)]


def test_main_account_ends_all_sessions() -> None:
    """The command has no session id."""
    assert when(given(*ACTIVE), MainAccount.log_out, MARIA, None) == [logged_out(None)]


def test_ending_all_sessions_again_is_recorded_again() -> None:
    """The aggregate does not know the sessions; there may be new ones."""
    assert when(given(*ACTIVE, logged_out(None)), MainAccount.log_out, MARIA, None) == [logged_out(None)]


@pytest.mark.parametrize("last", [deactivated(MARIA), CLOSED], ids=["inactive", "account closed"])
def test_sub_user_without_access_can_be_logged_out(last: EventSpec) -> None:
    assert when(given(*ACTIVE, last), MainAccount.log_out, MARIA, SESSION) == [logged_out(SESSION)]


def test_logout_changes_nothing_but_the_session() -> None:
    """The sub-user may log in again."""
    account = given(*ACTIVE)
    before = account.sub_user(MARIA)
    when(account, MainAccount.log_out, MARIA, None)
    assert account.sub_user(MARIA) == before


def test_unknown_sub_user_cannot_be_logged_out() -> None:
    then_refused(SubUserNotFound, given(*ACTIVE), MainAccount.log_out, UNKNOWN_SUB_USER, SESSION)
