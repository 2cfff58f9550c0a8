"""Published checkpoints: sent to the broker after the events that they cover."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema_rs
import structlog

from projections.feed import published_checkpoints
from tests.builders import catch_up
from tests.postgres import fetch
from tests.projections.test_publisher import RecordingBroker, broker, publishing, record
from tests.waiting import eventually

if TYPE_CHECKING:
    from api.bootstrap.service import Service

__all__ = ["broker"]


def sign_checkpoint(service: Service, count: int) -> str:
    """Record this many events, sign a checkpoint, and return its note."""
    record(service, count)
    catch_up(service, "merkle-tree")
    service.workers.checkpointer.sign_now()
    newest = service.queries.checkpoints.newest()
    assert newest is not None
    return newest.note


def test_checkpoints_are_published_after_their_events(
    service: Service, broker: RecordingBroker, database_url: str
) -> None:
    """Both earlier and new checkpoints are published. A restarted publisher repeats none."""
    notes = [sign_checkpoint(service, 3), sign_checkpoint(service, 2)]
    with publishing(database_url, broker):
        eventually(lambda: len(broker.messages) == 7)
        notes.append(sign_checkpoint(service, 1))
        eventually(lambda: fetch(database_url, "SELECT checkpoint FROM publisher_state") == [(3,)])
    with publishing(database_url, broker):
        record(service, 1)
        eventually(lambda: broker.messages[-1].type != published_checkpoints.TYPE)
    published = [message for message in broker.messages if message.type == published_checkpoints.TYPE]
    bodies = [json.loads(message.body) for message in published]
    assert [body["data"]["note"] for body in bodies] == notes
    assert len({message.message_id for message in published}) == 3
    validator = jsonschema_rs.Draft202012Validator(published_checkpoints.schema())
    for message, body in zip(published, bodies, strict=True):
        validator.validate(body)
        preceding = broker.messages[: broker.messages.index(message)]
        assert body["position"] in [json.loads(earlier.body)["position"] for earlier in preceding]


def test_unreadable_checkpoint_is_skipped_and_logged(
    service: Service, broker: RecordingBroker, database_url: str
) -> None:
    """The connection to the broker stays open."""
    first, unreadable, last = sign_checkpoint(service, 1), sign_checkpoint(service, 1), sign_checkpoint(service, 1)
    fetch(database_url, "ALTER TABLE checkpoints DISABLE TRIGGER USER")
    fetch(database_url, "UPDATE checkpoints SET note = 'no such note' WHERE note = %s", unreadable)
    with structlog.testing.capture_logs() as lines, publishing(database_url, broker):
        eventually(lambda: fetch(database_url, "SELECT checkpoint FROM publisher_state") == [(3,)])
        eventually(lambda: any(line["event"] == "checkpoint.unreadable" for line in lines))
    bodies = [json.loads(message.body) for message in broker.messages if message.type == published_checkpoints.TYPE]
    assert [body["data"]["note"] for body in bodies] == [first, last]
    assert broker.connections == 1
    (log_line,) = [line for line in lines if line["event"] == "checkpoint.unreadable"]
    assert (log_line["tree_size"], log_line["log_level"]) == (2, "error")
