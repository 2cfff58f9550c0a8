"""Compression of pages and static files with gzip, for browsers that accept it."""

from __future__ import annotations

import gzip
from functools import cache
from mimetypes import guess_type
from typing import TYPE_CHECKING

from flask import Response, request

from api.console.pages import STATIC, asset_versions
from api.http.compression import GZIP, accepts_gzip, compress

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

PAGE_LEVEL, FILE_LEVEL = 8, 9
"""Pages are compressed for each request, files once in each process."""

MIN_BYTES = 1000
"""Shorter bodies fit into one packet anyway."""

COMPRESSED_TYPES = frozenset({"text/css", "text/javascript", "application/javascript", "image/svg+xml"})


def compress_page(response: AnyResponse) -> AnyResponse:
    """Compress an HTML page that answers a GET request, if the browser accepts it.

    The page's only secret is the token of its forms. It is masked with random bytes, so that neither its length nor
    those of other texts of the page tell anything about it (BREACH).
    """
    if request.method != "GET" or response.mimetype != "text/html" or response.is_streamed:
        return response
    compress(response, lambda body: gzip.compress(body, PAGE_LEVEL, mtime=0), MIN_BYTES)
    return response


def compressed_file(name: str) -> Response | None:
    """Return a static file compressed, or None if the browser or the type of the file does without."""
    media_type = guess_type(name)[0]
    if media_type not in COMPRESSED_TYPES or not accepts_gzip() or name not in asset_versions():
        return None
    response = Response(_compressed(name), mimetype=media_type)
    response.headers["Content-Encoding"] = GZIP
    return response


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress((STATIC / name).read_bytes(), FILE_LEVEL, mtime=0)
