"""Checkpoints as they are published beside the events: each once all its events have been, at least once, in order.

They are no events of the history, so that the feed does not have them: over HTTP they are at `/v1/audit/checkpoints`.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from application.checkpoints import Checkpoint
from application.signed_notes import SignedNote
from projections.checkpoints import StoredCheckpoint
from projections.published_events import COUNT, PREFIX, WHERE, WORD
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from projections.published_events import Schema

SQL = statements("projections", "published_checkpoints")

TYPE = f"{PREFIX}audit.checkpoint.v1"
SUMMARY = "What the whole history was at a moment, signed: whoever keeps it finds out if what is in it is rewritten."
BATCH = 100

DATA_SCHEMA: Schema = {
    "type": "object",
    "required": ["tree_size", "root_hash", "note"],
    "properties": {
        "tree_size": {**COUNT, "description": "How many events it has."},
        "root_hash": {**WORD, "description": "The root of the Merkle tree over them, in base64."},
        "note": {**WORD, "description": "The signed note itself (C2SP): this is what to keep."},
    },
}


def due(connection: Connection[Any]) -> Sequence[StoredCheckpoint]:
    """Return the next checkpoints that have not been published, and whose events have."""
    cursor = connection.cursor(row_factory=class_row(StoredCheckpoint))
    return cursor.execute(SQL["due"], {"limit": BATCH}, prepare=True).fetchall()


def move(connection: Connection[Any], last: StoredCheckpoint) -> None:
    """Note that the broker has confirmed everything up to here."""
    connection.execute(SQL["move"], {"number": last.number})


def envelope(source: str, stored: StoredCheckpoint) -> dict[str, Any]:
    """Return a checkpoint as a CloudEvent; `position` is that of the last event in it."""
    checkpoint = Checkpoint.parse(SignedNote.parse(stored.note).text)
    return {
        "specversion": "1.0",
        "id": f"checkpoint:{sha256(stored.note.encode()).hexdigest()[:32]}",
        "type": TYPE,
        "source": source,
        "time": checkpoint.signed_at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": schema_address(source),
        "position": stored.position,
        "data": {
            "tree_size": stored.tree_size,
            "root_hash": base64.b64encode(checkpoint.root_hash).decode(),
            "note": stored.note,
        },
    }


def schema_address(source: str) -> str:
    """Return where the JSON Schema of its data is served."""
    return f"{source}/schemas/{TYPE}.json"


def schema() -> Schema:
    """Return the JSON Schema of a whole envelope."""
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
            "position": {**COUNT, "description": WHERE},
            "data": DATA_SCHEMA,
        },
    }
