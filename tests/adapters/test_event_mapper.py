"""Events are stored as compact JSON of primitives, and come back as they were.

What each event looks like in the store is pinned in tests/domain.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.event_mapper import EventMapper
from domain import events
from domain.cause import ActorType, Sealed
from domain.events import SubUserActivityRecorded
from domain.main_account import MainAccount
from domain.sub_user import Notice

NOW = datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)
NOBODY = {
    "actor_type": ActorType.SYSTEM,
    "actor_id": None,
    "request_id": None,
    "ip": None,
    "user_agent": None,
    "reason": None,
}


@pytest.fixture
def mapper() -> EventMapper:
    """Give the mapper that the service uses."""
    return EventMapper()


def expiry_set(at: datetime | None) -> events.SubUserAccessExpirySet:
    made: Any = MainAccount.SubUserAccessExpirySet
    event: events.SubUserAccessExpirySet = made(
        originator_id=uuid4(), originator_version=3, timestamp=NOW, sub_user_id=uuid4(), access_expires_at=at, **NOBODY
    )
    return event


def activity(details: str | None) -> SubUserActivityRecorded:
    return SubUserActivityRecorded(
        originator_id=uuid4(),
        originator_version=1,
        timestamp=NOW,
        account_id=uuid4(),
        sub_user_id=uuid4(),
        action="assistant.opened",
        target=None,
        details=Sealed(details) if details is not None else None,
        occurred_at=NOW,
        request_id=None,
        ip=None,
        user_agent=None,
    )


@pytest.mark.parametrize(
    "at",
    [
        None,
        NOW,
        NOW.replace(microsecond=0),
        NOW.astimezone(timezone(timedelta(hours=5, minutes=30))),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_times_come_back_exactly(mapper: EventMapper, at: datetime | None) -> None:
    """To the microsecond, at the same instant, whatever the time zone; none stays none."""
    back = mapper.to_domain_event(mapper.to_stored_event(expiry_set(at)))

    assert isinstance(back, events.SubUserAccessExpirySet)
    assert back.access_expires_at == at


@pytest.mark.parametrize(
    "text", [None, "", "Zoë 🦊", '{"a": ["\\u0000"]}', "line\nbreak\ttab \x7f \u2028", "1." + "A" * 10_000]
)
def test_texts_come_back_exactly(mapper: EventMapper, text: str | None) -> None:
    """Whatever characters are in them; none stays none, and empty stays empty."""
    back = mapper.to_domain_event(mapper.to_stored_event(activity(text)))

    assert isinstance(back, SubUserActivityRecorded)
    assert back.details == text


def test_an_event_equals_itself_after_the_journey(mapper: EventMapper) -> None:
    """Types included: enumerations, ids and flags are not left as text."""
    made: Any = MainAccount.SubUserActivated
    event = made(
        originator_id=uuid4(),
        originator_version=7,
        timestamp=NOW,
        sub_user_id=uuid4(),
        credentials=2,
        notice=Notice.REACTIVATION,
        **{**NOBODY, "actor_type": ActorType.MAIN_ACCOUNT, "actor_id": "x"},
    )

    back = mapper.to_domain_event(mapper.to_stored_event(event))

    assert back == event
    assert isinstance(back, events.SubUserActivated)
    assert back.notice is Notice.REACTIVATION
    assert back.actor_type is ActorType.MAIN_ACCOUNT


def test_what_is_none_or_in_a_column_takes_no_room(mapper: EventMapper) -> None:
    """The stored bytes hold the event's own facts and nothing else, nor anything of Python."""
    state = mapper.to_stored_event(expiry_set(None)).state

    assert set(json.loads(state)) == {"timestamp", "actor_type", "sub_user_id"}
    assert b" " not in state
    assert b"_type_" not in state
    assert b"domain." not in state


def test_a_field_of_tomorrow_is_not_stumbled_over(mapper: EventMapper) -> None:
    """While a newer version of the service runs beside this one, its additions are passed over."""
    stored = mapper.to_stored_event(expiry_set(NOW))
    newer = {**json.loads(stored.state), "weather": "fine"}

    back = mapper.to_domain_event(
        StoredEvent(stored.originator_id, stored.originator_version, stored.topic, json.dumps(newer).encode())
    )

    assert not hasattr(back, "weather")


def test_an_unknown_topic_is_an_error(mapper: EventMapper) -> None:
    """An event that nobody knows is never passed over."""
    with pytest.raises(Exception, match="NeverHappened"):
        mapper.to_domain_event(StoredEvent(uuid4(), 1, "NeverHappened", b"{}"))
