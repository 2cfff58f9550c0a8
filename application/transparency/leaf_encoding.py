"""Encoding of the leaves of the Merkle tree. Each leaf is one stored event and has exactly one encoding.

An encoding has five fields, each after its length in 4 bytes: position (8 bytes), stream id (16), version in the stream
(8), topic (UTF-8), and the stored bytes. All numbers are big-endian. This is the format of a row in PostgreSQL's binary
COPY without the leading field count, so rows that are copied from the table can be hashed directly.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from application.transparency.merkle import leaf_hash

if TYPE_CHECKING:
    from uuid import UUID

FIXED = struct.Struct(">IqI16sIqI")
LENGTH = struct.Struct(">I")


def encode_leaf(position: int, stream_id: UUID, version: int, topic: str, state: bytes) -> bytes:
    """Return the encoding of a stored event."""
    encoded_topic = topic.encode()
    fixed = FIXED.pack(8, position, 16, stream_id.bytes, 8, version, len(encoded_topic))
    return b"".join((fixed, encoded_topic, LENGTH.pack(len(state)), state))


def event_hash(position: int, stream_id: UUID, version: int, topic: str, state: bytes) -> bytes:
    """Return the leaf hash of a stored event."""
    return leaf_hash(encode_leaf(position, stream_id, version, topic, state))
