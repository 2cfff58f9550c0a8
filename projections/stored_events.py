"""What can be told of a stored event without making the event itself, for views that take over thousands at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from domain import events

if TYPE_CHECKING:
    from eventsourcing.persistence import StoredEvent

State = dict[str, Any]
"""What the store keeps of an event, as `adapters/event_mapper.py` writes it: primitives, without what is None."""


def _topics(
    kind: type[events.Event | events.ReportedEvent | events.WebhookEvent | events.AuditEvent],
) -> frozenset[str]:
    kinds: list[Any] = kind.__subclasses__()
    return frozenset(one.TOPIC for one in kinds)


OF_ACCOUNTS = _topics(events.Event)
"""Events in the stream of an account."""

REPORTED = _topics(events.ReportedEvent)
"""Facts, which say themselves when they occurred."""

APART = REPORTED | _topics(events.WebhookEvent) | _topics(events.AuditEvent)
"""Each a stream of its own, which says itself of which account it is; not all of them are of one."""


def state_of(stored: StoredEvent) -> State:
    """Return the fields of an event."""
    state: State = json.loads(stored.state)
    return state


def account_of(stored: StoredEvent, state: State) -> str | None:
    """Return the account that an event is of; None if it is of no account, or of all.

    Raises LookupError for a kind that this release does not know: no view may pass it over.
    """
    if stored.topic in OF_ACCOUNTS:
        return str(stored.originator_id)
    if stored.topic in REPORTED:
        return str(state["account_id"])
    if stored.topic in APART:
        return state.get("account_id")
    raise LookupError(stored.topic)
