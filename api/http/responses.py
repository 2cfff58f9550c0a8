"""JSON responses, conditional requests, and idempotent POST requests."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from flask import Response, g, request

from api.http.authentication import api_key, service
from api.http.problems import Problem, unprocessable
from api.http.request_bodies import JSON
from api.strict_parsing import parse_position
from application.errors import IdempotentResponseExists, InvalidValue
from application.transactional_writes import StoreIdempotentResponse
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID
    from wsgiref.types import StartResponse, WSGIEnvironment

    from api.http.response_bodies import ResponseBody
    from application.ports.vault import PersonKey
    from application.repository import Outcome
    from application.transactional_writes import TransactionalWrite

R = TypeVar("R")

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
ENTITY_TAG = re.compile(r'[ \t,]*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?=,|\Z)')
"""An element of a list of entity tags (RFC 9110, 8.8.3 and 13.1.1)."""

REVISION = re.compile(r"[0-9]{1,18}")


class CompleteResponse(Response):
    """A response with a complete body, passed to the server without Werkzeug's processing."""

    default_mimetype = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond as a WSGI application. Skip Werkzeug's copy and inspection of all headers, which takes time."""
        if environ["REQUEST_METHOD"] == "HEAD" or self.status_code == HTTPStatus.NO_CONTENT:
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        return cast("list[bytes]", self.response)


def json_response(
    body: bytes | None,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    position: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a response with a JSON body, or without a body. `position` is the position of the recorded event."""
    response_headers = dict(headers) if headers else {}
    if body is not None:
        response_headers["Content-Type"] = JSON
    if position is not None:
        response_headers["Event-Position"] = str(position)
    return CompleteResponse(body, status.value, response_headers)


def required_position() -> int | None:
    """Return the position that a read must include, from the `Event-Position` header."""
    text = request.headers.get("Event-Position")
    if text is None:
        return None
    try:
        return parse_position(text)
    except ValueError:
        raise unprocessable({"Event-Position": ["must be a position from an earlier response"]}) from None


def if_match_revisions() -> frozenset[int] | None:
    """Return the revisions in the `If-Match` header; None means any revision.

    Weak tags count as strong ones: compressing proxies weaken tags, and a revision is exact anyway. Raises a problem
    for a header that is not a list of entity tags.
    """
    text = request.headers.get("If-Match")
    if text is None or text.strip() == "*":
        return None
    tags: list[str] = []
    end = 0
    while match := ENTITY_TAG.match(text, end):
        tags.append(match[1])
        end = match.end()
    if not tags or text[end:].strip(" \t,"):
        raise unprocessable({"If-Match": ['must be * or entity tags, such as "3"']})
    return frozenset(int(tag) for tag in tags if REVISION.fullmatch(tag))


def etag(revision: int) -> str:
    """Return a revision as an entity tag."""
    return f'"{revision}"'


class IdempotentRequest(Generic[R]):
    """Executes a POST request once: a retry with the same idempotency key gets the first response again.

    Pass `store_for(...)` as `also_write` of the command that `run` executes. It stores the response.

    Refused requests change nothing, so their responses are not stored. A retry runs the command again.
    """

    def __init__(
        self, schema: ResponseBody, status: HTTPStatus, headers_of: Callable[[R], dict[str, str]] = lambda _: {}
    ) -> None:
        self._schema = schema
        self._status = status
        self._headers_of = headers_of
        self._idempotency_key = _idempotency_key()

    def store_for(self, person_id_of: Callable[[R], UUID]) -> Callable[[R, PersonKey], list[TransactionalWrite]]:
        """Return a function for `also_write`, which stores the response in the transaction of the events.

        `person_id_of` returns the id of the person that the response is about. The body is encrypted with their data
        key.
        """
        if self._idempotency_key is None:
            return lambda _value, _key: []
        idempotency_key = self._idempotency_key

        def store_response(value: R, person_key: PersonKey) -> list[TransactionalWrite]:
            return [
                StoreIdempotentResponse(
                    api_key_id=api_key().api_key_id,
                    idempotency_key=idempotency_key,
                    fingerprint=_fingerprint(),
                    status=self._status.value,
                    headers=json.dumps(self._headers_of(value)),
                    encrypted_body=person_key.encrypt("answer", self._schema.to_json(value).decode()),
                    person_id=person_id_of(value),
                    answered_at=service().clock(),
                )
            ]

        return store_response

    def run(self, command: Callable[[], Outcome[R]]) -> Response:
        """Run the command, or return the stored response.

        The command must store its response with `store_for`. Otherwise, a retry runs it again.
        """
        stored_response = self._stored_response()
        if stored_response is not None:
            return stored_response
        try:
            outcome = command()
        except (Refusal, InvalidValue, IdempotentResponseExists):
            # The cause may be a concurrent request with the same key, which has stored its response by now.
            stored_response = self._stored_response()
            if stored_response is None:
                raise
            return stored_response
        return json_response(
            self._schema.to_json(outcome.value),
            self._status,
            position=outcome.position,
            headers=self._headers_of(outcome.value),
        )

    def _stored_response(self) -> Response | None:
        if self._idempotency_key is None:
            return None
        stored = service().queries.idempotent_responses.find(api_key().api_key_id, self._idempotency_key)
        if stored is None:
            return None
        person_key = service().person_key(stored.person_id)
        if person_key is None or not stored.encrypted_body:  # a late retry must not create the person again
            raise Problem(
                HTTPStatus.CONFLICT, "response-erased", "The person whom the stored response was about has been erased."
            )
        if stored.fingerprint != _fingerprint():
            raise unprocessable({"Idempotency-Key": ["has been used for a different request"]})
        body = person_key.decrypt("answer", stored.encrypted_body).encode()
        return json_response(
            body, HTTPStatus(stored.status), position=stored.position, headers=json.loads(stored.headers)
        )


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise unprocessable({"Idempotency-Key": ["must be 1 to 255 visible ASCII characters"]})
    return key


def _fingerprint() -> bytes:
    """Return a hash of the request. It is keyed, because a body may contain a password."""
    if "fingerprint" not in g:
        body = request.get_data(cache=True).decode("latin-1")
        g.fingerprint = service().keyed_hasher.hash("request", request.method, request.path, body)
    fingerprint: bytes = g.fingerprint
    return fingerprint
