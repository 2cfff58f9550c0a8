"""Checkpoints as published messages: in order, at least once, each after all its events have been published.

They are not events, so the feed does not contain them. Over HTTP they are at `/v1/audit/checkpoints`.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from adapters.postgres.sql_files import statements
from application.transparency.checkpoint import Checkpoint
from application.transparency.signed_note import SignedNote
from projections.feed.event_catalog import (
    COUNT,
    PARTITION_KEY,
    POSITION_DESCRIPTION,
    PREFIX,
    SEQUENCE,
    STRING,
    sequence,
)
from projections.transparency.checkpoints import StoredCheckpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from projections.feed.event_catalog import Schema

SQL = statements("projections.feed", "published_checkpoints")

TYPE = f"{PREFIX}audit.checkpoint.v1"
SUMMARY = "A signed checkpoint of the event store. Keep it: it proves later whether the events up to it were rewritten."
BATCH = 100

DATA_SCHEMA: Schema = {
    "type": "object",
    "required": ["tree_size", "root_hash", "note"],
    "properties": {
        "tree_size": {**COUNT, "description": "Number of events in the tree."},
        "root_hash": {**STRING, "description": "Root of the Merkle tree over these events, in base64."},
        "note": {**STRING, "description": "The signed note (C2SP). Keep this."},
    },
}


def due(connection: Connection[Any]) -> Sequence[StoredCheckpoint]:
    """Return the next unpublished checkpoints whose events have all been published."""
    cursor = connection.cursor(row_factory=class_row(StoredCheckpoint))
    return cursor.execute(SQL["due"], {"limit": BATCH}, prepare=True).fetchall()


def record_published(connection: Connection[Any], last: StoredCheckpoint) -> None:
    """Record that the broker has confirmed the checkpoints up to this one."""
    connection.execute(SQL["record_published"], {"number": last.number})


def envelope(source: str, stored: StoredCheckpoint) -> dict[str, Any]:
    """Return a checkpoint as a CloudEvent. `position` is that of its last event."""
    checkpoint = Checkpoint.parse(SignedNote.parse(stored.note).text)
    return {
        "specversion": "1.0",
        "id": f"checkpoint:{sha256(stored.note.encode()).hexdigest()[:32]}",
        "type": TYPE,
        "source": source,
        "time": checkpoint.signed_at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": _schema_url(source),
        "position": stored.position,
        "sequence": sequence(stored.position),
        "partitionkey": TYPE,
        "data": {
            "tree_size": stored.tree_size,
            "root_hash": base64.b64encode(checkpoint.root_hash).decode(),
            "note": stored.note,
        },
    }


def _schema_url(source: str) -> str:
    """Return the URL of the JSON Schema of a checkpoint's data."""
    return f"{source}/schemas/{TYPE}.json"


def schema() -> Schema:
    """Return the JSON Schema of a checkpoint's envelope."""
    names = ["id", "source", "time", "dataschema"]
    return {
        "title": TYPE,
        "description": SUMMARY,
        "type": "object",
        "required": ["specversion", *names, "type", "datacontenttype", "position", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "type": {"const": TYPE},
            **{name: {"type": "string"} for name in names},
            "datacontenttype": {"const": "application/json"},
            "position": {**COUNT, "description": POSITION_DESCRIPTION},
            "sequence": SEQUENCE,
            "partitionkey": {**PARTITION_KEY, "description": "The type: all checkpoints have the same key."},
            "data": DATA_SCHEMA,
        },
    }
