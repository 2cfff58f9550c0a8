"""Index entries from stored events, equal to those from decoded events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.postgres.event_store.mapper import EventMapper
from adapters.postgres.event_store.settled_reads import RecordedEvent
from adapters.postgres.event_store.stored_events import account_of
from domain.events import ACCOUNT_TOPICS, NON_ACCOUNT_TOPICS
from projections.audit_log.actions import ACTIONS
from projections.audit_log.projection import ACTIVITY, index_row_of
from projections.audit_log.rows import AuditIndexEntry, index_entry_of
from projections.sub_users.projection import ON_ACCOUNTS, ON_SUB_USERS
from tests.domain.pinned_events import HISTORY, STANDALONE_EVENTS, PinnedEvent

if TYPE_CHECKING:
    from domain.events import AnyEvent


@pytest.mark.parametrize("pinned_event", [*HISTORY, *STANDALONE_EVENTS], ids=lambda pinned_event: pinned_event.topic)
def test_index_entry_of_a_stored_event_equals_that_of_the_event(pinned_event: PinnedEvent) -> None:
    """Compares account, action, sub-user and time for every kind of event."""
    row = index_row_of(RecordedEvent(7, pinned_event.stored))
    entry = None
    if row is not None:
        sub_user_id = UUID(row.sub_user_id) if row.sub_user_id is not None else None
        entry = AuditIndexEntry(UUID(row.account_id), row.action, sub_user_id, datetime.fromisoformat(row.occurred_at))

    expected = index_entry_of(cast("AnyEvent", EventMapper().to_domain_event(pinned_event.stored)))
    assert entry == (expected if expected.account_id is not None else None)


def test_every_topic_is_classified() -> None:
    """Each is an account topic or a non-account topic. The sub-user list applies account topics only."""
    assert {*ACTIONS, ACTIVITY} == ACCOUNT_TOPICS | NON_ACCOUNT_TOPICS
    assert not ACCOUNT_TOPICS & NON_ACCOUNT_TOPICS
    assert {*ON_ACCOUNTS, *ON_SUB_USERS} <= ACCOUNT_TOPICS


def test_account_of_an_unknown_topic_raises() -> None:
    """The event may come from a newer release."""
    with pytest.raises(LookupError, match="OfALaterRelease"):
        account_of(StoredEvent(uuid4(), 1, "OfALaterRelease", b"{}"), {})
