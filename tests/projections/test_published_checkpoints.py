"""Checkpoints go out to the broker behind their events, each once it can be checked, and none is left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema_rs
import structlog

from projections import published_checkpoints
from tests.people import catch_up
from tests.postgres import ask
from tests.projections.test_publisher import PaperBroker, broker, publishing, record
from tests.waiting import eventually

if TYPE_CHECKING:
    from api.bootstrap import Service

__all__ = ["broker"]


def signed(service: Service, events: int) -> str:
    """Record so many events, sign a checkpoint of them, and return its note."""
    record(service, events)
    catch_up(service, "merkle-tree")
    service.checkpointer.make_now()
    newest = service.checkpoints.newest()
    assert newest is not None
    return newest.note


def test_each_goes_out_behind_its_events(service: Service, broker: PaperBroker, database_url: str) -> None:
    """Those of before the publisher ran, and those that come; started again, it repeats none."""
    notes = [signed(service, 3), signed(service, 2)]
    with publishing(database_url, broker):
        eventually(lambda: len(broker.messages) == 7)
        notes.append(signed(service, 1))
        eventually(lambda: ask(database_url, "SELECT checkpoint FROM publisher_state") == [(3,)])
    with publishing(database_url, broker):
        record(service, 1)
        eventually(lambda: broker.messages[-1].type != published_checkpoints.TYPE)
    went_out = [one for one in broker.messages if one.type == published_checkpoints.TYPE]
    bodies = [json.loads(one.body) for one in went_out]
    assert [body["data"]["note"] for body in bodies] == notes
    assert len({one.message_id for one in went_out}) == 3
    validator = jsonschema_rs.Draft202012Validator(published_checkpoints.schema())
    for message, body in zip(went_out, bodies, strict=True):
        validator.validate(body)
        before = broker.messages[: broker.messages.index(message)]
        assert body["position"] in [json.loads(one.body)["position"] for one in before]


def test_what_is_no_checkpoint_any_more_holds_up_nothing(
    service: Service, broker: PaperBroker, database_url: str
) -> None:
    """It is left out, and the log tells; the connection to the broker is not given up for it."""
    good, bad, last = signed(service, 1), signed(service, 1), signed(service, 1)
    ask(database_url, "ALTER TABLE checkpoints DISABLE TRIGGER USER")
    ask(database_url, "UPDATE checkpoints SET note = 'no such note' WHERE note = %s", bad)
    with structlog.testing.capture_logs() as lines, publishing(database_url, broker):
        eventually(lambda: ask(database_url, "SELECT checkpoint FROM publisher_state") == [(3,)])
        eventually(lambda: any(line["event"] == "checkpoint.unreadable" for line in lines))
    went_out = [json.loads(one.body) for one in broker.messages if one.type == published_checkpoints.TYPE]
    assert [one["data"]["note"] for one in went_out] == [good, last]
    assert broker.lines == 1
    (told,) = [line for line in lines if line["event"] == "checkpoint.unreadable"]
    assert (told["tree_size"], told["log_level"]) == (2, "error")
