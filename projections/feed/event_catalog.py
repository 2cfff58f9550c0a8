"""Published form of events: CloudEvents 1.0, described by one catalog, which is derived from the events' descriptors.

Envelopes contain ids, types, times, positions and facts without personal data. Neither an encrypted field nor a hash of
one is ever published. The published form is stable: fields may be added, but none is renamed, removed or given another
meaning. A change that breaks this becomes version `v2` of the type.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from enum import EnumType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints
from uuid import UUID

from domain import events
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from adapters.postgres.event_store.settled_reads import RecordedEvent
    from domain.events.descriptor import EventDescriptor

Schema = dict[str, Any]

PREFIX = "subusers."
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time"}
COUNT: Schema = {"type": "integer", "minimum": 0}
STRING: Schema = {"type": "string"}
SCHEMA_BY_TYPE: Mapping[type, Schema] = {
    UUID: ID,
    datetime: TIME,
    date: {"type": "string", "format": "date"},
    bool: {"type": "boolean"},
    int: COUNT,
    str: STRING,
}
"""Schema of a fact by the type of the event's field. Integers are counts, positions and versions."""

POSITION_DESCRIPTION = (
    "Position in the event store: an integer of up to 63 bits, more than the CloudEvents `Integer` holds."
)

POSITION_DIGITS = 19
"""Digits of the largest position, 2**63 - 1."""

PARTITION_KEY: Schema = {
    "type": "string",
    "minLength": 1,
    "description": "CloudEvents partitioning: events with the same key are in order. The id of the main account, or of "
    "the stream of an event without an account. Absent in messages that were published before it was added.",
}
SEQUENCE: Schema = {
    "type": "string",
    "pattern": f"^[0-9]{{{POSITION_DIGITS}}}$",
    "description": "CloudEvents sequence: `position` with leading zeros, so that texts sort like positions. Absent in "
    "messages that were published before it was added.",
}

EPOCH_DESCRIPTION = "Lineage of the store that `position` refers to. A restore or a failover begins a new one."


def sequence(position: int) -> str:
    """Return a position as a text of fixed length, which sorts like the position."""
    return f"{position:0{POSITION_DIGITS}}"


def open_enumeration(values: Iterable[object]) -> Schema:
    """Return the schema of an open enumeration: consumers must accept values that are added later."""
    return {"type": "string", "examples": [str(value) for value in values]}


@dataclass(frozen=True)
class PublishedEventType:
    """A published type of event. `optional` names the facts that may be absent."""

    topic: str
    name: str
    summary: str
    facts: Mapping[str, Schema]
    optional: frozenset[str]
    version: int

    @property
    def type(self) -> str:
        """CloudEvents type, which is also the routing key."""
        return f"{PREFIX}{self.name}.v{self.version}"

    @property
    def schema_name(self) -> str:
        """Name of the schema of its envelope in generated code: the topic, with the version from 2 on."""
        return self.topic if self.version == 1 else f"{self.topic}V{self.version}"


def _published_type(event_class: type[events.AnyEvent]) -> PublishedEventType:
    """Return the published type of an event class. The types of its facts are those of the class's fields."""
    descriptor = event_class.DESCRIPTOR
    hints = get_type_hints(event_class)
    types = {name: get_args(hints[name]) or (hints[name],) for name in descriptor.facts}
    return PublishedEventType(
        topic=event_class.TOPIC,
        name=descriptor.name,
        summary=descriptor.summary,
        facts={name: {**_fact_schema(types[name][0]), **_documentation(descriptor, name)} for name in descriptor.facts},
        optional=frozenset(name for name in descriptor.facts if type(None) in types[name]),
        version=descriptor.version,
    )


def _fact_schema(fact_type: type) -> Schema:
    """Return the schema of a fact. Raises KeyError for a type that is not published, such as `Ciphertext`."""
    return open_enumeration(fact_type) if isinstance(fact_type, EnumType) else SCHEMA_BY_TYPE[fact_type]


def _documentation(descriptor: EventDescriptor, name: str) -> Schema:
    documentation: Schema = {}
    if name in descriptor.descriptions:
        documentation["description"] = descriptor.descriptions[name]
    if name in descriptor.examples:
        documentation["examples"] = list(descriptor.examples[name])
    return documentation


CATALOG = tuple(_published_type(event_class) for event_class in events.EVENT_CLASSES)
"""Every type of event, in the order in which the documents list them."""

BY_TOPIC = {event_type.topic: event_type for event_type in CATALOG}
BY_TYPE = {event_type.type: event_type for event_type in CATALOG}


class Envelopes:
    """Wraps stored events in envelopes, and describes the envelopes. `source` is the public URL of this service."""

    def __init__(self, source: str, epoch: Callable[[], UUID | None] = lambda: None) -> None:
        """`epoch` returns the store's epoch, to which positions refer."""
        self.source = source
        self._epoch = epoch
        self._templates = {event_type.topic: self._build_template(event_type) for event_type in CATALOG}

    def wrap(self, recorded_event: RecordedEvent) -> dict[str, Any]:
        """Return the envelope of a stored event. Raises KeyError for a topic that is not in the catalog."""
        stored = recorded_event.stored
        event_type = BY_TOPIC[stored.topic]
        state = json.loads(stored.state)
        stream = str(stored.originator_id)
        envelope = self._templates[event_type.topic].copy()
        envelope["id"] = f"{stream}:{stored.originator_version}"
        envelope["time"] = _rfc_3339(state["timestamp"])
        envelope["position"] = recorded_event.position
        envelope["sequence"] = sequence(recorded_event.position)
        if (epoch := self._epoch()) is not None:
            envelope["epoch"] = str(epoch)
        if "sub_user_id" in state:
            envelope["subject"] = state["sub_user_id"]
        if "account_id" in state:  # an event of another stream, about one account
            envelope["accountid"] = state["account_id"]
        elif event_type.topic not in events.OTHER_STREAM_TOPICS:  # an event of the account's own stream
            envelope["accountid"] = stream
            envelope["accountversion"] = stored.originator_version
        envelope["partitionkey"] = envelope.get("accountid", stream)
        envelope["data"] = _data(event_type, state)
        return envelope

    def _build_template(self, event_type: PublishedEventType) -> dict[str, Any]:
        """Return the attributes that all envelopes of a type have in common, in their final order."""
        return {
            "specversion": "1.0",
            "id": "",
            "type": event_type.type,
            "source": self.source,
            "time": "",
            "datacontenttype": "application/json",
            "dataschema": self._schema_url(event_type),
            "position": 0,
        }

    def _schema_url(self, event_type: PublishedEventType, folder: str = "") -> str:
        return f"{self.source}/schemas/{folder}{event_type.type}.json"

    def data_schema(self, event_type: PublishedEventType) -> Schema:
        """Return the JSON Schema of the `data` of this type, as CloudEvents' `dataschema` requires."""
        annotations = {"title": f"data of {event_type.type}", "description": event_type.summary}
        return {"$schema": DIALECT, "$id": self._schema_url(event_type), **annotations, **_data_schema(event_type)}

    def schema(self, event_type: PublishedEventType) -> Schema:
        """Return the JSON Schema of a whole envelope of this type."""
        required = ["specversion", "id", "type", "source", "time", "datacontenttype", "dataschema", "position"]
        if event_type.topic not in events.OTHER_STREAM_TOPICS:
            required.append("accountid")
        if event_type.topic in events.ACCOUNT_TOPICS:
            required.append("accountversion")
        return {
            "$schema": DIALECT,
            "$id": self._schema_url(event_type, "envelopes/"),
            "title": event_type.type,
            "description": event_type.summary,
            "type": "object",
            "required": [*required, "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string", "description": "Stable: an event always has the same id."},
                "type": {"const": event_type.type},
                "source": {"type": "string", "format": "uri"},
                "subject": {**ID, "description": "The sub-user that the event is about, if any."},
                "time": {**TIME, "description": "When the event was recorded."},
                "datacontenttype": {"const": "application/json"},
                "dataschema": {"type": "string", "format": "uri", "description": "URL of the JSON Schema of `data`."},
                "position": {"type": "integer", "minimum": 1, "description": POSITION_DESCRIPTION},
                "sequence": SEQUENCE,
                "partitionkey": PARTITION_KEY,
                "epoch": {**ID, "description": EPOCH_DESCRIPTION},
                "accountid": {**ID, "description": "The main account."},
                "accountversion": {"type": "integer", "minimum": 1, "description": "Version of the account's stream."},
                "data": _data_schema(event_type),
            },
        }


ACTOR: Schema = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": open_enumeration(ActorType),
        "id": {"type": "string", "description": "Id of the account, the sub-user or the API key."},
        "api_key_id": {**ID, "description": "The API key with which the command was sent, if any."},
    },
}


def _data_schema(event_type: PublishedEventType) -> Schema:
    facts = (
        dict(event_type.facts) if event_type.topic in events.REPORTED_TOPICS else {"actor": ACTOR, **event_type.facts}
    )
    return {
        "type": "object",
        "required": [name for name in facts if name not in event_type.optional],
        "properties": facts,
    }


def _data(event_type: PublishedEventType, state: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if event_type.topic not in events.REPORTED_TOPICS:
        data["actor"] = {"type": state["actor_type"]}
        if "actor_id" in state:
            data["actor"]["id"] = state["actor_id"]
        if "actor_api_key_id" in state:
            data["actor"]["api_key_id"] = state["actor_api_key_id"]
    for name, schema in event_type.facts.items():
        if name in state:
            data[name] = _rfc_3339(state[name]) if schema.get("format") == TIME["format"] else state[name]
    return data


def _rfc_3339(moment: str) -> str:
    """Return a stored time in RFC 3339, in UTC."""
    return moment.replace("+00:00", "Z")
