"""Serialization of events as compact JSON of primitives, without fields that are None."""

from __future__ import annotations

import types
from dataclasses import fields
from datetime import date, datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import orjson
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from eventsourcing.utils import get_topic, resolve_topic

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventsourcing.domain import DomainEventProtocol

COLUMN_FIELDS = frozenset({"originator_id", "originator_version"})


class EventMapper(Mapper[UUID]):
    """Converts field values by the annotated types of the event class, so payloads contain no Python type names."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Serialize an event."""
        state = {
            name: value for name, value in vars(domain_event).items() if value is not None and name not in COLUMN_FIELDS
        }
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=get_topic(type(domain_event)),
            state=orjson.dumps(state),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """Deserialize a stored event. Fields that it lacks are None."""
        event_class = resolve_topic(stored_event.topic)
        state = orjson.loads(stored_event.state)
        values = {name: convert(state.get(name)) for name, convert in _converters(event_class).items()}
        values["originator_id"] = stored_event.originator_id
        values["originator_version"] = stored_event.originator_version
        event: DomainEventProtocol[UUID] = object.__new__(event_class)
        object.__setattr__(event, "__dict__", values)
        return event


@cache
def _converters(event_class: type) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(event_class)
    names = [field.name for field in fields(event_class)]
    return {name: _converter(hints[name]) for name in names if name not in COLUMN_FIELDS}


_uuid = lru_cache(4096)(UUID)
"""Cached, because long logs have the same ids again and again."""


def _converter(hint: Any) -> Callable[[Any], Any]:
    field_type = hint
    if get_origin(hint) in {Union, types.UnionType}:
        field_type = next(arg for arg in get_args(hint) if arg is not type(None))
    if field_type in {date, datetime}:
        return lambda value: None if value is None else field_type.fromisoformat(value)
    if field_type is UUID:
        return lambda value: None if value is None else _uuid(value)
    if isinstance(field_type, type) and issubclass(field_type, StrEnum):
        return lambda value: None if value is None else field_type(value)
    return lambda value: value
