"""Published event envelopes: complete by the catalog, valid by their schemas, free of personal data."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from adapters.postgres.event_store.settled_reads import RecordedEvent
from domain import events
from projections.feed.event_catalog import BY_TOPIC, BY_TYPE, CATALOG, Envelopes, sequence
from tests.domain.pinned_events import ACCOUNT, HISTORY, STANDALONE_EVENTS, SUB_USER, PinnedEvent
from tests.projections.published_schemas import all_incompatibilities, current, incompatibilities, pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLOUD_EVENT = jsonschema_rs.Draft7Validator(
    json.loads(Path(__file__).with_name("cloudevents.json").read_text()), validate_formats=True
)
"""JSON Schema from the CloudEvents specification (cloudevents/formats/cloudevents.json, Apache License 2.0)."""

ENVELOPES = Envelopes("https://portal.example")
POSITION = 12_345
HOW_TO_PIN = "run `.venv/bin/python -m tests.projections.published_schemas`, and commit the file"

EVENT_CLASSES: list[Any] = [
    value for value in vars(events).values() if isinstance(value, type) and "TOPIC" in vars(value)
]
ENVELOPE_ATTRIBUTES = {
    "originator_id": "id, accountid",
    "originator_version": "id, accountversion",
    "timestamp": "time",
    "account_id": "accountid",
    "sub_user_id": "subject",
    "actor_type": "data.actor.type",
    "actor_id": "data.actor.id",
    "actor_api_key_id": "data.actor.api_key_id",
}
"""Envelope attributes, by the event field that they publish."""

UNPUBLISHED = {
    "definitions": "the names are in `permissions` and `actions`, and a GET request returns the rest",
    "email_hash": "identifies a person",
    "originator_topic": "internal to Python",
    "request_id": "free text from the portal",
    "wanted_action": "free text from an auditor's filter",
    "wanted_actor_type": "a filter, as `wanted_action`",
    "wanted_actor_id": "free text from an auditor's filter",
}
"""Unencrypted fields that are not published, with the reason."""

PINNED = [*HISTORY, *STANDALONE_EVENTS]
every_pinned_event = pytest.mark.parametrize(
    "pinned_event", PINNED, ids=[f"{pinned_event.version} {pinned_event.topic}" for pinned_event in PINNED]
)
every_event_class = pytest.mark.parametrize("event_class", EVENT_CLASSES, ids=lambda event_class: event_class.TOPIC)


def envelope_of(pinned_event: PinnedEvent) -> dict[str, Any]:
    """Return the envelope as a consumer parses it."""
    envelope: dict[str, Any] = json.loads(json.dumps(ENVELOPES.wrap(RecordedEvent(POSITION, pinned_event.stored))))
    return envelope


def validator(envelope: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    schema = ENVELOPES.schema(BY_TYPE[envelope["type"]])
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def is_encrypted(field: Any) -> bool:
    return "Ciphertext" in str(field.type)


def undefined_properties(value: dict[str, Any], schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the paths of properties that the schema does not define."""
    for name, member in value.items():
        if name not in schema["properties"]:
            yield f"{path}{name}"
        elif isinstance(member, dict):
            yield from undefined_properties(member, schema["properties"][name], f"{path}{name}.")


@every_event_class
def test_every_event_is_published(event_class: Any) -> None:
    assert event_class.TOPIC in BY_TOPIC


def test_catalog_has_no_other_events() -> None:
    """Topics and types are unique."""
    assert {kind.topic for kind in CATALOG} == {event_class.TOPIC for event_class in EVENT_CLASSES}
    assert len(BY_TOPIC) == len(BY_TYPE) == len(CATALOG)


@pytest.mark.parametrize("kind", CATALOG, ids=lambda kind: kind.type)
def test_event_type_is_a_valid_routing_key(kind: Any) -> None:
    """It has dot-separated words, of which the last is the version."""
    assert re.fullmatch(r"subusers\.[a-z_]+\.[a-z_]+\.v[1-9]", kind.type)
    assert kind.summary.endswith(".")
    assert kind.optional <= kind.facts.keys()


@every_event_class
def test_descriptor_documents_only_facts(event_class: Any) -> None:
    descriptor = event_class.DESCRIPTOR
    assert {*descriptor.descriptions, *descriptor.examples} <= {*descriptor.facts}


@every_event_class
def test_every_field_is_published_encrypted_or_excluded(event_class: Any) -> None:
    names = {field.name for field in fields(event_class)}
    encrypted = {field.name for field in fields(event_class) if is_encrypted(field)}
    facts = set(BY_TOPIC[event_class.TOPIC].facts)
    assert facts <= names, "the descriptor lists facts that the event does not have"
    assert not facts & (encrypted | UNPUBLISHED.keys()), "the descriptor publishes encrypted or excluded fields"
    unaccounted = names - encrypted - facts - ENVELOPE_ATTRIBUTES.keys() - UNPUBLISHED.keys()
    assert unaccounted == set(), "add the fields to the facts of the descriptor, or to UNPUBLISHED with a reason"


@every_pinned_event
def test_envelope_has_exactly_the_properties_of_its_schema(pinned_event: PinnedEvent) -> None:
    envelope = envelope_of(pinned_event)
    kind = BY_TYPE[envelope["type"]]
    validator(envelope).validate(envelope)
    data_schema = ENVELOPES.data_schema(kind)
    jsonschema_rs.Draft202012Validator(data_schema, validate_formats=True).validate(envelope["data"])
    assert data_schema["$id"] == envelope["dataschema"]
    assert list(undefined_properties(envelope, ENVELOPES.schema(kind))) == []


@every_pinned_event
def test_envelope_has_no_personal_data(pinned_event: PinnedEvent) -> None:
    """Neither names nor values of encrypted and excluded fields appear."""
    text, state = json.dumps(envelope_of(pinned_event), ensure_ascii=False), json.loads(pinned_event.payload)
    unpublished = UNPUBLISHED.keys() | {field.name for field in fields(pinned_event.event_class) if is_encrypted(field)}
    for name in unpublished & state.keys():
        assert f'"{name}"' not in text
        assert str(state[name]) not in text


@every_pinned_event
def test_envelope_is_a_cloud_event(pinned_event: PinnedEvent) -> None:
    """CloudEvents 1.0: valid by its JSON Schema, lower-case alphanumeric attribute names, times in RFC 3339."""
    envelope = envelope_of(pinned_event)
    CLOUD_EVENT.validate(envelope)
    assert envelope["specversion"] == "1.0"
    assert envelope["source"] == "https://portal.example"
    assert envelope["id"] == f"{pinned_event.stream}:{pinned_event.version}"
    assert envelope["position"] == POSITION
    assert envelope["dataschema"] == f"https://portal.example/schemas/{envelope['type']}.json"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", envelope["time"])
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in envelope)


@every_pinned_event
def test_envelope_names_its_sub_user_and_account(pinned_event: PinnedEvent) -> None:
    """Envelopes of events in the account's stream also have the event's version."""
    envelope, event = envelope_of(pinned_event), pinned_event.event
    sub_user_id, account_id = (pinned_event.fields.get(name) for name in ("sub_user_id", "account_id"))
    assert envelope.get("subject") == (str(sub_user_id) if sub_user_id else None)
    if isinstance(event, events.Event):
        assert (envelope["accountid"], envelope["accountversion"]) == (str(ACCOUNT), pinned_event.version)
    else:
        assert envelope.get("accountid") == (str(account_id) if account_id else None)
        assert "accountversion" not in envelope


@every_pinned_event
def test_envelope_can_be_partitioned_and_ordered(pinned_event: PinnedEvent) -> None:
    """All events of an account have one key (CloudEvents extensions partitioning and sequence)."""
    envelope = envelope_of(pinned_event)
    assert envelope["partitionkey"] == envelope.get("accountid", str(pinned_event.stream))
    assert (len(envelope["sequence"]), int(envelope["sequence"])) == (19, POSITION)


def test_sequences_sort_like_positions() -> None:
    positions = [2, 10, 9, 1, 2**63 - 1, 10**18]
    assert sorted(map(sequence, positions)) == [sequence(position) for position in sorted(positions)]


def test_example_of_a_complete_envelope() -> None:
    (pinned_event,) = [pinned_event for pinned_event in HISTORY if pinned_event.topic == "SubUserLoggedIn"][:1]
    assert envelope_of(pinned_event) == {
        "specversion": "1.0",
        "id": f"{ACCOUNT}:{pinned_event.version}",
        "type": "subusers.sub_user.logged_in.v1",
        "source": "https://portal.example",
        "time": "2026-03-02T09:30:00.125000Z",
        "datacontenttype": "application/json",
        "dataschema": "https://portal.example/schemas/subusers.sub_user.logged_in.v1.json",
        "position": POSITION,
        "sequence": "0000000000000012345",
        "subject": str(SUB_USER),
        "accountid": str(ACCOUNT),
        "accountversion": pinned_event.version,
        "partitionkey": str(ACCOUNT),
        "data": {
            "actor": {"type": "sub_user", "id": str(SUB_USER)},
            "session_id": "c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b",
            "with_temporary_password": True,
        },
    }


@pytest.mark.parametrize(
    "invalidate",
    [
        lambda envelope: envelope.pop("id"),
        lambda envelope: envelope.pop("data"),
        lambda envelope: envelope["data"].pop("session_id"),
        lambda envelope: envelope["data"].pop("actor"),
        lambda envelope: envelope.update(position=0),
        lambda envelope: envelope.update(type="subusers.sub_user.logged_out.v1"),
        lambda envelope: envelope.update(time="yesterday"),
        lambda envelope: envelope["data"].update(with_temporary_password="no"),
        lambda envelope: envelope["data"].update(session_id="7"),
    ],
    ids=range(9),
)
def test_schema_rejects_invalid_envelopes(invalidate: Callable[[Any], object]) -> None:
    (pinned_event,) = [pinned_event for pinned_event in HISTORY if pinned_event.topic == "SubUserLoggedIn"][:1]
    envelope = envelope_of(pinned_event)
    check = validator(envelope)
    invalidate(envelope)
    assert not check.is_valid(envelope)


def test_schema_accepts_additional_properties() -> None:
    """Consumers that validate envelopes must accept later additions."""
    envelope = envelope_of(HISTORY[0])
    envelope |= {"later": 1, "data": {**envelope["data"], "more": [], "actor": {"type": "new_type", "since": 1}}}
    validator(envelope).validate(envelope)


@pytest.mark.parametrize("kind", CATALOG, ids=lambda kind: kind.type)
def test_schemas_are_valid_json_schemas(kind: Any) -> None:
    """The schema of the data contains all of the data's part in the envelope's schema."""
    envelope_schema, data_schema = ENVELOPES.schema(kind), ENVELOPES.data_schema(kind)
    for schema in (envelope_schema, data_schema):
        jsonschema_rs.meta.validate(schema)
    assert envelope_schema["properties"]["data"].items() <= data_schema.items()


def test_published_schemas_stay_compatible() -> None:
    """An incompatible change needs a new version of the type."""
    incompatible = all_incompatibilities()
    assert not incompatible, "\n".join(
        [*incompatible, "consumers rely on these: publish a new version of the type instead"]
    )


def test_current_schemas_are_pinned() -> None:
    assert current() == pinned(), f"if the change is intended: {HOW_TO_PIN}"


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda schema: schema.update(title="named otherwise"), []),
        (lambda schema: schema.update(description="said better"), []),
        (lambda schema: schema["properties"].update(more={"type": "string"}), []),
        (lambda schema: schema["properties"]["data"]["properties"].update(more={}), []),
        (lambda schema: schema["required"].append("subject"), []),
        (lambda schema: schema["properties"].pop("subject"), ["subject is gone"]),
        (lambda schema: schema["properties"]["data"]["properties"].pop("why"), ["data.why is gone"]),
        (lambda schema: schema["required"].remove("time"), ["time may be absent now"]),
        (lambda schema: schema["properties"]["data"]["required"].remove("why"), ["data.why may be absent now"]),
        (
            lambda schema: schema["properties"]["position"].update(type="string"),
            ["position.type was 'integer', is 'string'"],
        ),
        (lambda schema: schema["properties"]["subject"].pop("format"), ["subject.format was 'uuid', is None"]),
        (lambda schema: schema.update(additionalProperties=False), ["additionalProperties was None, is False"]),
    ],
    ids=range(12),
)
def test_incompatible_changes_are_detected(change: Callable[[Any], object], broken: list[str]) -> None:
    """Additions and changed annotations are compatible."""
    before = ENVELOPES.schema(BY_TYPE["subusers.sub_user.login_refused.v1"])
    now = deepcopy(before)
    change(now)
    assert incompatibilities(before, now) == broken
