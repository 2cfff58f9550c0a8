"""Events to stored bytes and back: compact JSON of primitives, without what is None."""

from __future__ import annotations

import types
from dataclasses import fields
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import orjson
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from eventsourcing.utils import get_topic, resolve_topic

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventsourcing.domain import DomainEventProtocol

KEPT_IN_COLUMNS = frozenset({"originator_id", "originator_version"})


class EventMapper(Mapper[UUID]):
    """Maps by the types that an event class declares, so that payloads hold nothing of Python."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Return what the store keeps of an event."""
        state = {k: v for k, v in vars(domain_event).items() if v is not None and k not in KEPT_IN_COLUMNS}
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=get_topic(type(domain_event)),
            state=orjson.dumps(state),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """Return the event that was stored."""
        event_class = resolve_topic(stored_event.topic)
        state = orjson.loads(stored_event.state)
        values = {name: to_field(state.get(name)) for name, to_field in _fields(event_class).items()}
        values["originator_id"] = stored_event.originator_id
        values["originator_version"] = stored_event.originator_version
        event: DomainEventProtocol[UUID] = object.__new__(event_class)
        object.__setattr__(event, "__dict__", values)
        return event


@cache
def _fields(event_class: type) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(event_class)
    names = [field.name for field in fields(event_class)]
    return {name: _converter(hints[name]) for name in names if name not in KEPT_IN_COLUMNS}


def _converter(hint: Any) -> Callable[[Any], Any]:
    plain = hint
    if get_origin(hint) in {Union, types.UnionType}:
        plain = next(arg for arg in get_args(hint) if arg is not type(None))
    if plain in {date, datetime}:
        return lambda value: None if value is None else plain.fromisoformat(value)
    if isinstance(plain, type) and issubclass(plain, (UUID, StrEnum)):
        return lambda value: None if value is None else plain(value)
    return lambda value: value
