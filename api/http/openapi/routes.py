"""Routes of the OpenAPI document, and of the documentation page that shows it."""

from __future__ import annotations

import gzip
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path

from flask import Response, current_app, request
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from api.http.compression import compress
from api.http.routing import Routes

STATIC = Path(__file__).parents[1] / "static"
MEDIA_TYPE_BY_SUFFIX = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; "  # RapiDoc embeds icons in its style sheets
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CACHE_FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

routes = Routes("documentation", "API documentation")


@routes.route("GET", "/openapi.json", is_documented=False)
def get_openapi_document() -> Response:
    """Get the OpenAPI document."""
    return _compressed(Response(current_app.extensions["subusers-openapi"](), content_type="application/json"))


@routes.route("GET", "/docs", is_documented=False)
def get_page() -> Response:
    """Get the documentation page, on which you can try out every request."""
    response = _file("docs.html")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


@routes.route("GET", "/docs/<path:name>", problems=(HTTPStatus.NOT_FOUND,), is_documented=False)
def get_page_file(name: str) -> Response:
    """Get a file of the documentation page."""
    return _file(name)


def _file(name: str) -> Response:
    path = safe_join(str(STATIC), name)
    if path is None or not Path(path).is_file():
        raise NotFound
    response = Response(Path(path).read_bytes(), mimetype=MEDIA_TYPE_BY_SUFFIX.get(Path(path).suffix, "text/plain"))
    is_versioned = "/" in name  # the names of folders have a version
    response.headers["Cache-Control"] = CACHE_FOREVER if is_versioned else REVALIDATE
    response = _compressed(response)
    response.add_etag()
    response.make_conditional(request)
    return response


def _compressed(response: Response) -> Response:
    """Return a response without secrets, compressed if the client accepts it."""
    compress(response, _gzip)
    return response


@lru_cache(maxsize=16)
def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)
