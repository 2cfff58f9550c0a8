"""What a leaf of the Merkle tree holds: one stored event, in an encoding of which there is one for each event.

Five fields, each behind its length in 4 bytes: the position (8 bytes), the id of the stream (16), the version in the
stream (8), the topic (UTF-8), the stored bytes. All numbers are big-endian. It is a row as Postgres's binary COPY has
it, without the count of fields in front: what is copied out of the table can be hashed as it comes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from application.merkle import leaf_hash

if TYPE_CHECKING:
    from uuid import UUID

FIXED = struct.Struct(">IqI16sIqI")
LENGTH = struct.Struct(">I")


def encoded(position: int, stream_id: UUID, version: int, topic: str, state: bytes) -> bytes:
    """Return a leaf's data."""
    name = topic.encode()
    fixed = FIXED.pack(8, position, 16, stream_id.bytes, 8, version, len(name))
    return b"".join((fixed, name, LENGTH.pack(len(state)), state))


def event_hash(position: int, stream_id: UUID, version: int, topic: str, state: bytes) -> bytes:
    """Return the hash of the leaf of a stored event."""
    return leaf_hash(encoded(position, stream_id, version, topic, state))
