"""HTTP exchanges in one form, with a running service or with the application of this process."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask

SERVER_HEADERS = frozenset({"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"})
"""Headers of the HTTP server rather than of the application."""


@dataclass(frozen=True)
class Response:
    """A response; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Send(Protocol):
    """Sends a request and returns the response."""

    def __call__(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Response: ...


def over_http(port: int) -> Send:
    """Return a function that sends requests to a service on this machine."""

    def send(method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Response:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Response(response.status, _headers(response.getheaders()), response.read().decode())
        finally:
            connection.close()

    return send


def in_process(app: Flask) -> Send:
    """Return a function that sends requests to an application of this process."""

    def send(method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Response:
        response = app.test_client().open(path, method=method, headers=dict(headers or {}), data=body, buffered=True)
        return Response(response.status_code, _headers(list(response.headers.items())), response.text)

    return send


def parsed_body(response: Response) -> Any:
    """Return the body as JSON, CSV as a list of rows, and JSON lines as a list; other text as it is."""
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if media_type == "text/csv":
        rows = csv.DictReader(io.StringIO(response.body, newline=""))
        return [{**row, "details": json.loads(row["details"] or "null")} for row in rows]
    if media_type.endswith(("ndjson", "jsonl")):
        return [json.loads(line) for line in response.body.splitlines()]
    return response.json if media_type.endswith("json") and response.body else response.body


def _headers(items: list[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in items if name.lower() not in SERVER_HEADERS}
