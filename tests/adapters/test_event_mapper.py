"""Event mapper: events as compact JSON of primitives, and back.

tests/domain pins the stored form of each event.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.postgres.event_store.mapper import EventMapper
from domain import events
from domain.event_metadata import ActorType, Ciphertext
from domain.events import SubUserActivityRecorded
from domain.main_account import MainAccount
from domain.sub_user import Notice

NOW = datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)
SYSTEM_METADATA = {
    "actor_type": ActorType.SYSTEM,
    "actor_id": None,
    "request_id": None,
    "ip": None,
    "user_agent": None,
    "reason": None,
    "actor_api_key_id": None,
    "actor_person": None,
}


@pytest.fixture
def mapper() -> EventMapper:
    """Return the mapper that the service uses."""
    return EventMapper()


def expiry_set(at: datetime | None) -> events.SubUserAccessExpirySet:
    event_class: Any = MainAccount.SubUserAccessExpirySet
    event: events.SubUserAccessExpirySet = event_class(
        originator_id=uuid4(),
        originator_version=3,
        timestamp=NOW,
        sub_user_id=uuid4(),
        access_expires_at=at,
        **SYSTEM_METADATA,
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
        details=Ciphertext(details) if details is not None else None,
        occurred_at=NOW,
        request_id=None,
        ip=None,
        user_agent=None,
        reason=None,
        actor_api_key_id=None,
        actor_person=None,
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
def test_times_are_restored_exactly(mapper: EventMapper, at: datetime | None) -> None:
    """The instant is preserved to the microsecond in any time zone, and None stays None."""
    restored = mapper.to_domain_event(mapper.to_stored_event(expiry_set(at)))

    assert isinstance(restored, events.SubUserAccessExpirySet)
    assert restored.access_expires_at == at


@pytest.mark.parametrize(
    "text", [None, "", "Zoë 🦊", '{"a": ["\\u0000"]}', "line\nbreak\ttab \x7f \u2028", "1." + "A" * 10_000]
)
def test_texts_are_restored_exactly(mapper: EventMapper, text: str | None) -> None:
    """Any characters are preserved; None stays None and empty stays empty."""
    restored = mapper.to_domain_event(mapper.to_stored_event(activity(text)))

    assert isinstance(restored, SubUserActivityRecorded)
    assert restored.details == text


def test_event_survives_a_round_trip(mapper: EventMapper) -> None:
    """Enumerations, ids and flags get their types back."""
    event_class: Any = MainAccount.SubUserActivated
    event = event_class(
        originator_id=uuid4(),
        originator_version=7,
        timestamp=NOW,
        sub_user_id=uuid4(),
        credentials=2,
        notice=Notice.REACTIVATION,
        **{**SYSTEM_METADATA, "actor_type": ActorType.MAIN_ACCOUNT, "actor_id": "x"},
    )

    restored = mapper.to_domain_event(mapper.to_stored_event(event))

    assert restored == event
    assert isinstance(restored, events.SubUserActivated)
    assert restored.notice is Notice.REACTIVATION
    assert restored.actor_type is ActorType.MAIN_ACCOUNT


def test_stored_state_omits_none_and_column_values(mapper: EventMapper) -> None:
    """The JSON omits None values, values stored in columns and Python type names."""
    state = mapper.to_stored_event(expiry_set(None)).state

    assert set(json.loads(state)) == {"timestamp", "actor_type", "sub_user_id"}
    assert b" " not in state
    assert b"_type_" not in state
    assert b"domain." not in state


def test_unknown_field_is_ignored(mapper: EventMapper) -> None:
    """During a rolling upgrade, events of a newer release may have additional fields."""
    stored = mapper.to_stored_event(expiry_set(NOW))
    newer = {**json.loads(stored.state), "weather": "fine"}

    restored = mapper.to_domain_event(
        StoredEvent(stored.originator_id, stored.originator_version, stored.topic, json.dumps(newer).encode())
    )

    assert not hasattr(restored, "weather")


def test_unknown_topic_is_an_error(mapper: EventMapper) -> None:
    """Unknown events are not skipped silently."""
    with pytest.raises(Exception, match="NeverHappened"):
        mapper.to_domain_event(StoredEvent(uuid4(), 1, "NeverHappened", b"{}"))
