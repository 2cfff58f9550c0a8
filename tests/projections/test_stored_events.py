"""What views tell of a stored event without making the event is what the event itself says."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.event_mapper import EventMapper
from projections.audit_actions import ACTIONS
from projections.audit_log import ACTIVITY, row_of
from projections.audit_rows import Place, place_of
from projections.event_log import Positioned
from projections.stored_events import APART, OF_ACCOUNTS, account_of
from projections.sub_user_list import ON_ACCOUNTS, ON_SUB_USERS
from tests.domain.pinned_events import FACTS, HISTORY, Pinned

if TYPE_CHECKING:
    from projections.audit_rows import Recorded


@pytest.mark.parametrize("one", [*HISTORY, *FACTS], ids=lambda one: one.topic)
def test_an_event_is_filed_where_it_says_itself(one: Pinned) -> None:
    """Under its account, its kind, its sub-user and its time, for every kind of event as it is stored."""
    row = row_of(Positioned(7, one.stored))
    told = None
    if row is not None:
        sub_user_id = UUID(row.sub_user_id) if row.sub_user_id is not None else None
        told = Place(UUID(row.account_id), row.action, sub_user_id, datetime.fromisoformat(row.occurred_at))

    place = place_of(cast("Recorded", EventMapper().to_domain_event(one.stored)))
    assert told == (place if place.account_id is not None else None)


def test_every_kind_of_event_is_known() -> None:
    """Each is in an account's stream, or in one of its own; and what the list follows is of the former."""
    assert {*ACTIONS, ACTIVITY} == OF_ACCOUNTS | APART
    assert not OF_ACCOUNTS & APART
    assert {*ON_ACCOUNTS, *ON_SUB_USERS} <= OF_ACCOUNTS


def test_a_kind_of_a_later_release_is_not_passed_over() -> None:
    """Nobody can say yet what it is of."""
    with pytest.raises(LookupError, match="OfALaterRelease"):
        account_of(StoredEvent(uuid4(), 1, "OfALaterRelease", b"{}"), {})
