"""What leaves the service of each event: all that the catalog promises, and nothing of any person."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from domain import events
from projections.event_log import Positioned
from projections.published_events import BY_TOPIC, BY_TYPE, CATALOG, Envelopes
from tests.domain.pinned_events import ACCOUNT, FACTS, HISTORY, SUB_USER, Pinned
from tests.projections.published_schemas import all_broken_promises, broken_promises, pinned, present

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLOUD_EVENT = jsonschema_rs.Draft7Validator(
    json.loads(Path(__file__).with_name("cloudevents.json").read_text()), validate_formats=True
)
"""The JSON Schema that the specification comes with (cloudevents/formats/cloudevents.json, Apache License 2.0)."""

ENVELOPES = Envelopes("https://portal.example")
POSITION = 12_345
HOW_TO_PIN = "run `.venv/bin/python -m tests.projections.published_schemas`, and commit what it writes"

EVENT_CLASSES: list[Any] = [one for one in vars(events).values() if isinstance(one, type) and "TOPIC" in vars(one)]
BY_ATTRIBUTES = {
    "originator_id": "id, accountid",
    "originator_version": "id, accountversion",
    "timestamp": "time",
    "account_id": "accountid",
    "sub_user_id": "subject",
    "actor_type": "data.actor.type",
    "actor_id": "data.actor.id",
}
"""Where the envelope tells what is not among the facts of the catalog."""

NOT_TOLD = {
    "email_hash": "a person could be recognized by it",
    "originator_topic": "Python's own business",
    "request_id": "the portal's own word for a request, and whatever that may say",
    "wanted_action": "whatever an auditor typed into a filter",
}
"""What is neither sealed nor told, and why."""

PINNED = [*HISTORY, *FACTS]
pinned_events = pytest.mark.parametrize("row", PINNED, ids=[f"{row.version} {row.topic}" for row in PINNED])
every_event_class = pytest.mark.parametrize("event_class", EVENT_CLASSES, ids=lambda one: one.TOPIC)


def enveloped(row: Pinned) -> dict[str, Any]:
    """Return the envelope as a consumer reads it."""
    envelope: dict[str, Any] = json.loads(json.dumps(ENVELOPES.of(Positioned(POSITION, row.stored))))
    return envelope


def validator(envelope: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    schema = ENVELOPES.schema(BY_TYPE[envelope["type"]])
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def is_sealed(field: Any) -> bool:
    return "Sealed" in str(field.type)


def names_in(value: dict[str, Any], schema: dict[str, Any], where: str = "") -> Iterator[str]:
    """Return the names in an envelope that its schema does not have."""
    for name, part in value.items():
        if name not in schema["properties"]:
            yield f"{where}{name}"
        elif isinstance(part, dict):
            yield from names_in(part, schema["properties"][name], f"{where}{name}.")


@every_event_class
def test_every_event_is_published(event_class: Any) -> None:
    """Whoever adds one says how the outside sees it."""
    assert event_class.TOPIC in BY_TOPIC, f"add {event_class.TOPIC} to CATALOG in projections/published_events.py"


def test_nothing_else_is() -> None:
    """And no two kinds share a topic or a type."""
    assert {kind.topic for kind in CATALOG} == {one.TOPIC for one in EVENT_CLASSES}
    assert len(BY_TOPIC) == len(BY_TYPE) == len(CATALOG)


@pytest.mark.parametrize("kind", CATALOG, ids=lambda kind: kind.type)
def test_a_type_is_a_good_routing_key(kind: Any) -> None:
    """Words between dots, the version last; short enough for AMQP (255 bytes), and there is a line to explain it."""
    assert re.fullmatch(r"subusers\.[a-z_]+\.[a-z_]+\.v[1-9]", kind.type)
    assert kind.summary.endswith(".")
    assert kind.optional <= kind.facts.keys()


@every_event_class
def test_every_field_is_told_or_there_is_a_reason(event_class: Any) -> None:
    """Sealed, named here, or told; and what the catalog promises is there to be told."""
    names = {field.name for field in fields(event_class)}
    sealed = {field.name for field in fields(event_class) if is_sealed(field)}
    facts = set(BY_TOPIC[event_class.TOPIC].facts)
    assert facts <= names, "the catalog promises what the event does not have"
    assert not facts & (sealed | NOT_TOLD.keys()), "the catalog tells what is not to be told"
    untold = names - sealed - facts - BY_ATTRIBUTES.keys() - NOT_TOLD.keys()
    assert untold == set(), "tell it in the catalog, or say in NOT_TOLD why not"


@pinned_events
def test_an_envelope_is_what_its_schema_says(row: Pinned) -> None:
    """Neither less nor more."""
    envelope = enveloped(row)
    kind = BY_TYPE[envelope["type"]]
    validator(envelope).validate(envelope)
    of_data = ENVELOPES.data_schema(kind)
    jsonschema_rs.Draft202012Validator(of_data, validate_formats=True).validate(envelope["data"])
    assert of_data["$id"] == envelope["dataschema"]
    assert list(names_in(envelope, ENVELOPES.schema(kind))) == []


@pinned_events
def test_an_envelope_tells_of_no_person(row: Pinned) -> None:
    """No sealed field, no hash of an e-mail, nothing else that is not to be told: by name or by content."""
    text, state = json.dumps(enveloped(row), ensure_ascii=False), json.loads(row.payload)
    secret = NOT_TOLD.keys() | {field.name for field in fields(row.event_class) if is_sealed(field)}
    for name in secret & state.keys():
        assert f'"{name}"' not in text
        assert str(state[name]) not in text


@pinned_events
def test_an_envelope_is_a_cloud_event(row: Pinned) -> None:
    """CloudEvents 1.0: by its JSON Schema, with names of lower-case letters and digits, times in RFC 3339."""
    envelope = enveloped(row)
    CLOUD_EVENT.validate(envelope)
    assert envelope["specversion"] == "1.0"
    assert envelope["source"] == "https://portal.example"
    assert envelope["id"] == f"{row.stream}:{row.version}"
    assert envelope["position"] == POSITION
    assert envelope["dataschema"] == f"https://portal.example/schemas/{envelope['type']}.json"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", envelope["time"])
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in envelope)


@pinned_events
def test_an_envelope_says_whom_and_which_account_it_is_about(row: Pinned) -> None:
    """As the event itself does; one that is of the account's own stream says where it stands there."""
    envelope, event = enveloped(row), row.event
    sub_user_id, account_id = (row.fields.get(name) for name in ("sub_user_id", "account_id"))
    assert envelope.get("subject") == (str(sub_user_id) if sub_user_id else None)
    if isinstance(event, events.Event):
        assert (envelope["accountid"], envelope["accountversion"]) == (str(ACCOUNT), row.version)
    else:
        assert envelope.get("accountid") == (str(account_id) if account_id else None)
        assert "accountversion" not in envelope


def test_an_envelope_as_consumers_get_it() -> None:
    """One whole, for people to see."""
    (row,) = [row for row in HISTORY if row.topic == "SubUserLoggedIn"][:1]
    assert enveloped(row) == {
        "specversion": "1.0",
        "id": f"{ACCOUNT}:{row.version}",
        "type": "subusers.sub_user.logged_in.v1",
        "source": "https://portal.example",
        "time": "2026-03-02T09:30:00.125000Z",
        "datacontenttype": "application/json",
        "dataschema": "https://portal.example/schemas/subusers.sub_user.logged_in.v1.json",
        "position": POSITION,
        "subject": str(SUB_USER),
        "accountid": str(ACCOUNT),
        "accountversion": row.version,
        "data": {
            "actor": {"type": "sub_user", "id": str(SUB_USER)},
            "session_id": "c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b",
            "with_temporary_password": True,
        },
    }


@pytest.mark.parametrize(
    "harm",
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
def test_a_schema_notices_what_is_wrong(harm: Callable[[Any], object]) -> None:
    """Else that envelopes are valid by it would say nothing."""
    (row,) = [row for row in HISTORY if row.topic == "SubUserLoggedIn"][:1]
    envelope = enveloped(row)
    check = validator(envelope)
    harm(envelope)
    assert not check.is_valid(envelope)


def test_a_schema_lets_more_be_said_later() -> None:
    """Consumers who validate must not stumble over what is added."""
    envelope = enveloped(HISTORY[0])
    envelope |= {"later": 1, "data": {**envelope["data"], "more": [], "actor": {"type": "somebody_new", "since": 1}}}
    validator(envelope).validate(envelope)


@pytest.mark.parametrize("kind", CATALOG, ids=lambda kind: kind.type)
def test_a_schema_is_one(kind: Any) -> None:
    """That of the data is a part of that of the whole: what is promised of the one holds for the other."""
    whole, of_data = ENVELOPES.schema(kind), ENVELOPES.data_schema(kind)
    for schema in (whole, of_data):
        jsonschema_rs.meta.validate(schema)
    assert whole["properties"]["data"].items() <= of_data.items()


def test_what_was_published_stays_as_it_was() -> None:
    """A consumer who was written for a type reads it for ever; what cannot be kept becomes the next version's."""
    broken = all_broken_promises()
    assert not broken, "\n".join([*broken, "consumers rely on these: publish another version of the type instead"])


def test_what_is_published_is_pinned() -> None:
    """From here on it is a promise."""
    assert present() == pinned(), f"if what changed is meant to be published: {HOW_TO_PIN}"


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
def test_what_breaks_a_promise_is_noticed(change: Callable[[Any], object], broken: list[str]) -> None:
    """And what is merely new is not."""
    before = ENVELOPES.schema(BY_TYPE["subusers.sub_user.login_refused.v1"])
    now = deepcopy(before)
    change(now)
    assert broken_promises(before, now) == broken
