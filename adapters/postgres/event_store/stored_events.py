"""Inspection of stored events without creating event objects, for projections that process thousands at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from domain.events import ACCOUNT_TOPICS, NON_ACCOUNT_TOPICS, REPORTED_TOPICS

if TYPE_CHECKING:
    from eventsourcing.persistence import StoredEvent

State = dict[str, Any]
"""JSON state of a stored event as written by `mapper`: primitives, without fields that are None."""


def state_of(stored: StoredEvent) -> State:
    """Return the fields of a stored event, without stream id and version."""
    state: State = json.loads(stored.state)
    return state


def account_of(stored: StoredEvent, state: State) -> str | None:
    """Return the account that an event belongs to; None if it concerns no account or all accounts.

    Raises LookupError for a topic that this release does not know, because no projection may skip such an event.
    """
    if stored.topic in ACCOUNT_TOPICS:
        return str(stored.originator_id)
    if stored.topic in REPORTED_TOPICS:
        return str(state["account_id"])
    if stored.topic in NON_ACCOUNT_TOPICS:
        return state.get("account_id")
    raise LookupError(stored.topic)
