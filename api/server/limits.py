"""Limits of the HTTP server on sizes, connections and times."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BODY_BYTES = 2 * 1024 * 1024
"""Enough for a thousand activities with details."""

MAX_HEAD_BYTES = 32 * 1024
"""Request line and headers: twice the limit of common proxies."""

MAX_HEADERS = 100
MAX_BODY_PIECES = 10_000
"""Pieces of a parsed body: one-byte chunks cost a hundred times more than plain bytes."""

MAX_FRAMING_BYTES = 128 * 1024
"""Bytes of an unfinished request besides its body: the head, and sizes and extensions of `MAX_BODY_PIECES` chunks."""

PARSE_CHUNK_BYTES = 4096
"""Bytes parsed at a time. They limit the number of pipelined requests that wait in memory."""

MAX_UNPARSED_BYTES = 64 * 1024
"""Bytes beyond which no more are read from a client until its previous requests have been answered."""

MIN_WRITTEN_BYTES = 16 * 1024
"""Bytes of a response that a client must read within `write_seconds`."""

LINGER_SECONDS = 2.0
"""Time for a client that is still sending to read a refusal: closing at once would discard the refusal."""


@dataclass(frozen=True)
class Limits:
    """Limits that depend on settings; times are in seconds.

    `total_body_bytes` limits all unfinished bodies of a process together. By default proxies keep idle connections for
    at most 60 seconds. Ours are kept longer: a server that closes first may cut off a request.
    """

    connections: int
    connections_per_client: int
    head_seconds: float = 10.0
    request_seconds: float = 30.0
    keep_alive_seconds: float = 75.0
    write_seconds: float = 20.0
    stop_seconds: float = 10.0
    body_bytes: int = MAX_BODY_BYTES
    total_body_bytes: int = 64 * 2**20
