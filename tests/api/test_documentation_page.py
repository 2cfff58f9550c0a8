"""The page at /docs: the OpenAPI document for people, from this service alone."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from api.http import schemas
from api.http.app import create_app
from api.http.documentation import EXAMPLES, STATIC

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from api.bootstrap import Service

(VENDORED,) = STATIC.glob("swagger-ui-*")


@pytest.fixture
def client(service: Service) -> FlaskClient:
    """Give a client that has no API key."""
    return create_app(service).test_client()


class Page(HTMLParser):
    """What a page refers to, and what it carries inside itself."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.references += [value or "" for name, value in attrs if name in {"src", "href"}]
        self.inline += [name for name, _ in attrs if name == "style" or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self._inside in {"script", "style"} and data.strip():
            self.inline.append(data)


def test_page_is_open_to_anybody_and_allows_nothing_inline(client: FlaskClient) -> None:
    """Its policy lets it load, run and ask what this service serves, and no more."""
    answer = client.get("/docs")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
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
    assert Page(answer.text).inline == []


def test_page_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    """All that it refers to is relative to it, and is there."""
    references = Page(client.get("/docs").text).references
    assert "docs/docs.js" in references
    assert "openapi.json" in references
    for reference in references:
        if reference != "data:,":
            assert not re.match(r"[a-z]+:|/", reference), reference
            assert client.get(f"/{reference}").status_code == 200, reference
    assert 'url: "openapi.json"' in (STATIC / "docs.js").read_text()


def test_files_that_carry_a_version_are_kept_for_good(client: FlaskClient) -> None:
    answer = client.get(f"/docs/{VENDORED.name}/swagger-ui-bundle.js")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.mimetype == "text/javascript"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.js", "/docs/docs.css"])
def test_files_of_our_own_are_asked_about_again(client: FlaskClient, path: str) -> None:
    """A browser that has the present one is told so, and gets it no second time."""
    answer = client.get(path)
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "file", ["", "none.js", "../documentation.py", "%2e%2e/documentation.py", "/etc/passwd", "%00"]
)
def test_no_other_file_can_be_had(client: FlaskClient, file: str) -> None:
    answer = client.get(f"/docs/{file}")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_page_is_in_the_document_and_its_files_are_not(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").get_json()["paths"]
    assert [path for path in paths if path.startswith("/docs")] == ["/docs"]


def test_vendored_files_are_as_they_were_published() -> None:
    """Their sums are those in the README beside them, where their licence is too."""
    sums = dict(re.findall(r"^ {4}([0-9a-f]{64}) {2}(\S+)$", (VENDORED / "README.md").read_text(), re.MULTILINE))
    assert {name: total for total, name in sums.items()} == {
        name: hashlib.sha256((VENDORED / name).read_bytes()).hexdigest()
        for name in ("swagger-ui-bundle.js", "swagger-ui.css")
    }
    assert "Apache License" in (VENDORED / "LICENSE").read_text()
    assert (VENDORED / "NOTICE").exists()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_good_requests(client: FlaskClient, name: str) -> None:
    """What the page offers to send is what the service takes."""
    assert client.get("/openapi.json").get_json()["components"]["schemas"][name]["examples"] == [EXAMPLES[name]]
    schema: type[schemas.Request] = getattr(schemas, name)
    schema().loads(json.dumps(EXAMPLES[name]))
