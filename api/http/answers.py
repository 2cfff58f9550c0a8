"""Answers: JSON of a schema, and for a request with an idempotency key the first answer again, byte for byte."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from flask import Response, g, request

from api.http.bodies import JSON
from api.http.doors import api_key, service
from api.http.problems import Problem, unprocessable
from application.errors import AnswerAlreadyKept, InvalidValue
from application.records import AnswerKept
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID
    from wsgiref.types import StartResponse, WSGIEnvironment

    from api.http.schemas import Answer
    from application.main_accounts import Outcome
    from application.ports import PersonKey
    from application.records import Record

R = TypeVar("R")

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
ETAG = re.compile(r'"(\d{1,18})"')
LARGEST_POSITION = 2**63 - 1


class WholeAnswer(Response):
    """An answer whose body is there from the beginning: it goes to the server as it is."""

    default_mimetype = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as WSGI has it; Werkzeug looks at each header first, and copies all of them."""
        if environ["REQUEST_METHOD"] == "HEAD" or self.status_code == HTTPStatus.NO_CONTENT:
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        return cast("list[bytes]", self.response)


def answer(
    body: bytes | None,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    position: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return an answer; `position` is where in the history it can be read."""
    told = dict(headers) if headers else {}
    if body is not None:
        told["Content-Type"] = JSON
    if position is not None:
        told["Event-Position"] = str(position)
    return WholeAnswer(body, status.value, told)


def demanded_position() -> int | None:
    """Return the position that a reader demands at least, from its `Event-Position` header."""
    text = request.headers.get("Event-Position")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_POSITION):  # digits of 2**63
        raise unprocessable({"Event-Position": ["must be a position from an earlier answer"]})
    return int(text)


def demanded_revision() -> int | None:
    """Return the revision that a change is meant for, from its `If-Match` header; * and none mean any."""
    text = request.headers.get("If-Match")
    if text is None or text.strip() == "*":
        return None
    match = ETAG.fullmatch(text.strip())
    return int(match[1]) if match else -1


def etag(revision: int) -> str:
    """Return a sub-user's revision as an entity tag."""
    return f'"{revision}"'


class Once(Generic[R]):
    """Answers a POST once: a repeated request with the same idempotency key gets the first answer again.

    A refused request has changed nothing, so nothing is kept of it: it is decided anew.
    """

    def __init__(
        self, schema: Answer, status: HTTPStatus, headers: Callable[[R], dict[str, str]] = lambda _: {}
    ) -> None:
        self._schema = schema
        self._status = status
        self._headers = headers
        self._key = _idempotency_key()

    def keep(self, person_id: Callable[[R], UUID]) -> Callable[[R, PersonKey], list[Record]]:
        """Return what has the answer kept with the events, sealed for the person it is about."""
        if self._key is None:
            return lambda _value, _key: []
        idempotency_key = self._key

        def record(value: R, person_key: PersonKey) -> list[Record]:
            return [
                AnswerKept(
                    api_key_id=api_key().api_key_id,
                    idempotency_key=idempotency_key,
                    fingerprint=_fingerprint(),
                    status=self._status.value,
                    headers=json.dumps(self._headers(value)),
                    sealed_body=person_key.seal("answer", self._schema.written(value).decode()),
                    person_id=person_id(value),
                    answered_at=service().clock(),
                )
            ]

        return record

    def run(self, command: Callable[[], Outcome[R]]) -> Response:
        """Run the command, or give the answer that it was given before."""
        kept = self._kept()
        if kept is not None:
            return kept
        try:
            outcome = command()
        except (Refusal, InvalidValue, AnswerAlreadyKept):
            # Where the same request came twice at once, the other one may be why this one was refused.
            kept = self._kept()
            if kept is None:
                raise
            return kept
        return answer(
            self._schema.written(outcome.value),
            self._status,
            position=outcome.position,
            headers=self._headers(outcome.value),
        )

    def _kept(self) -> Response | None:
        if self._key is None:
            return None
        found = service().answers.find(api_key().api_key_id, self._key)
        if found is None:
            return None
        key = service().person_key(found.person_id)
        if key is None or not found.sealed_body:  # and no second person comes of a retry that is late
            raise Problem(HTTPStatus.CONFLICT, "answer-erased", "The person this answer was about has been erased.")
        if found.fingerprint != _fingerprint():
            raise unprocessable({"Idempotency-Key": ["was used for another request"]})
        body = key.open("answer", found.sealed_body).encode()
        return answer(body, HTTPStatus(found.status), position=found.position, headers=json.loads(found.headers))


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise unprocessable({"Idempotency-Key": ["must be 1 to 255 visible ASCII characters"]})
    return key


def _fingerprint() -> bytes:
    """Return what tells one request from another. It is keyed, for a body may hold a password."""
    if "fingerprint" not in g:
        body = request.get_data(cache=True).decode("latin-1")
        g.fingerprint = service().fingerprints.of("request", request.method, request.path, body)
    fingerprint: bytes = g.fingerprint
    return fingerprint
