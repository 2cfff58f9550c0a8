"""Documentation page at /docs, which loads everything from this service."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from marshmallow import class_registry

from api.flask_application import create_app
from api.http.openapi.examples import EXAMPLES
from api.http.openapi.routes import STATIC

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from api.bootstrap.service import Service

(RAPIDOC,) = STATIC.glob("rapidoc-*")


@pytest.fixture
def client(service: Service) -> FlaskClient:
    """Return a client without an API key."""
    return create_app(service).test_client()


class Page(HTMLParser):
    """References and inline code of an HTML page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.references += [value or "" for name, value in attrs if name in {"src", "href", "spec-url"}]
        self.inline += [name for name, _ in attrs if name == "style" or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self._inside in {"script", "style"} and data.strip():
            self.inline.append(data)


def test_page_is_public_and_allows_no_inline_code(client: FlaskClient) -> None:
    """Its Content-Security-Policy permits only what this service serves."""
    response = client.get("/docs")
    assert (response.status_code, response.mimetype) == (200, "text/html")
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert Page(response.text).inline == []


def test_page_loads_nothing_from_other_origins(client: FlaskClient) -> None:
    """Every reference is relative and exists."""
    references = Page(client.get("/docs").text).references
    assert "docs/docs.js" in references
    assert "openapi.json" in references
    for reference in references:
        if reference != "data:,":
            assert not re.match(r"[a-z]+:|/", reference), reference
            assert client.get(f"/{reference}").status_code == 200, reference


def test_versioned_files_are_cached_forever(client: FlaskClient) -> None:
    response = client.get(f"/docs/{RAPIDOC.name}/rapidoc-min.js")
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.mimetype == "text/javascript"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.js", "/docs/docs.css"])
def test_unversioned_files_are_revalidated(client: FlaskClient, path: str) -> None:
    """A browser with the current version gets a 304."""
    response = client.get(path)
    assert response.headers["Cache-Control"] == "no-cache"
    revalidation = client.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert (revalidation.status_code, revalidation.data) == (304, b"")


@pytest.mark.parametrize(
    "file", ["", "none.js", "../documentation.py", "%2e%2e/documentation.py", "/etc/passwd", "%00"]
)
def test_other_files_are_not_served(client: FlaskClient, file: str) -> None:
    response = client.get(f"/docs/{file}")
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


def test_vendored_files_have_the_published_checksums() -> None:
    """The README of their folder lists the checksums."""
    ((checksum, name),) = re.findall(
        r"^ {4}([0-9a-f]{64}) {2}(\S+)$", (RAPIDOC / "README.md").read_text(), re.MULTILINE
    )
    assert hashlib.sha256((RAPIDOC / name).read_bytes()).hexdigest() == checksum
    assert "MIT License" in (RAPIDOC / "LICENSE").read_text()


def test_page_is_small(client: FlaskClient) -> None:
    """Everything that it loads has at most 400 kB for a browser that accepts gzip."""
    paths = [
        "/docs",
        *(f"/{reference}" for reference in Page(client.get("/docs").text).references if reference != "data:,"),
    ]
    responses = {path: client.get(path, headers={"Accept-Encoding": "gzip"}) for path in paths}
    sizes = {path: len(response.data) for path, response in responses.items()}
    assert sum(sizes.values()) <= 400_000, sizes
    assert all(gzip.decompress(response.data) == client.get(path).data for path, response in responses.items())


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_valid_requests(name: str) -> None:
    schema: Any = class_registry.get_class(name)
    schema().loads(json.dumps(EXAMPLES[name]))
