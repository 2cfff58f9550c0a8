"""Stored events stay readable forever, and change the account as they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from adapters.postgres.event_store.mapper import EventMapper
from domain.main_account import MainAccount
from domain.snapshot import MainAccountSnapshot
from tests.domain.event_catalog import NOT_APPLIED
from tests.domain.pinned_events import HISTORY, PINNED_EVENTS, PinnedEvent

if TYPE_CHECKING:
    from uuid import UUID

    from eventsourcing.domain import CanMutateAggregate

VERSIONS_WITHOUT_STATE_CHANGE = {3}
"""Versions of the pinned history that change no state: the owner's password is not part of it."""

every_pinned_event = pytest.mark.parametrize(
    "pinned_event",
    PINNED_EVENTS,
    ids=[f"{pinned_event.version} {pinned_event.topic}" for pinned_event in PINNED_EVENTS],
)


def account_of(history: list[PinnedEvent]) -> MainAccount:
    account: MainAccount | None = None
    for pinned_event in history:
        account = cast("CanMutateAggregate[UUID]", EventMapper().to_domain_event(pinned_event.stored)).mutate(account)
    assert isinstance(account, MainAccount)
    return account


def state(account: MainAccount) -> dict[str, Any]:
    return MainAccountSnapshot.take(account).state


@every_pinned_event
def test_event_is_stored_in_its_pinned_form(pinned_event: PinnedEvent) -> None:
    """Names, order and format of stored fields never change."""
    assert issubclass(type(pinned_event.event), pinned_event.event_class)
    stored = EventMapper().to_stored_event(pinned_event.event)
    assert (stored.topic, stored.state.decode()) == (pinned_event.topic, pinned_event.payload)
    assert stored == pinned_event.stored


@every_pinned_event
def test_pinned_event_is_still_readable(pinned_event: PinnedEvent) -> None:
    """It equals the recorded event, including the types of its fields."""
    event = EventMapper().to_domain_event(pinned_event.stored)
    assert event == pinned_event.event
    for name, value in vars(pinned_event.event).items():
        assert type(getattr(event, name)) is type(value)


def test_loaded_event_has_only_its_fields() -> None:
    """Extra instance attributes could shadow class attributes."""
    for pinned_event in PINNED_EVENTS:
        assert set(vars(EventMapper().to_domain_event(pinned_event.stored))) == set(vars(pinned_event.event))


@pytest.mark.parametrize("index", range(1, len(HISTORY)), ids=lambda index: f"{index + 1} {HISTORY[index].topic}")
def test_event_changes_the_account_unless_no_decision_depends_on_it(index: int) -> None:
    """Detects a missing or empty `@event` method."""
    before, after = account_of(HISTORY[:index]), account_of(HISTORY[: index + 1])
    changes_nothing = (
        HISTORY[index].event_class.__name__ in NOT_APPLIED or after.version in VERSIONS_WITHOUT_STATE_CHANGE
    )
    assert (state(after) == state(before)) is changes_nothing


def test_pinned_history_can_be_replayed() -> None:
    """It begins with the registration and ends with a closed, empty account."""
    account = account_of(HISTORY)
    assert (account.version, account.modified_on, account.closed_at) == (
        len(HISTORY),
        HISTORY[-1].event.timestamp,  # type: ignore[attr-defined]  # every event has one, but the protocol does not declare it
        HISTORY[-2].event.timestamp,  # type: ignore[attr-defined]
    )
    assert account.sub_users == {}
