"""Compression of responses with gzip, for clients that accept it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

GZIP = "gzip"


def accepts_gzip() -> bool:
    """Return whether the client accepts gzip."""
    return request.accept_encodings.quality(GZIP) > 0


def compress(response: Response, compressed: Callable[[bytes], bytes], min_bytes: int = 0) -> None:
    """Replace the body of a response by `compressed(body)` if the client accepts gzip, unless it is short."""
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    if len(body) >= min_bytes and accepts_gzip():
        response.set_data(compressed(body))
        response.headers["Content-Encoding"] = GZIP
