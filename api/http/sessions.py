"""Logging in, and what a session is good for."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import current_app, request
from flask.globals import app_ctx, request_ctx

from api.http import plain
from api.http.answers import answer
from api.http.bodies import JSON, read_json
from api.http.doors import origin, plain_client_ip, service
from api.http.problems import unprocessable
from api.http.routes import POSITION, SESSION_TOKEN, Routes
from api.http.schemas import Introspection, IntrospectionAnswer, Login, OpenedSessionAnswer, OwnPassword
from application.api_keys import ApiKey, Scope
from application.errors import SessionEnded, TooBusy
from application.new_session import token_hash
from application.sessions import permissions_of
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from flask import Response

    from application.ports import Session

routes = Routes("sessions", "Sessions of sub-users")
OPENED = OpenedSessionAnswer()
LONGEST_TOKEN = 1000
LARGEST_QUESTION = 4096
"""Bytes of a body that may be read of somebody who has not been let in yet."""

REFUSALS_TAKE = 0.25
"""Seconds from a login request's arrival to its refusal, whatever was wrong: more than any path to it takes, so that
the time tells nothing (ASVS 6.3.8). Under a load that makes it take longer, it takes a multiple of this."""

LOGINS_SHARE = 0.75
"""Of a process's threads, so many may be busy with logins: guessers must not keep others from being answered."""


@contextmanager
def login_place() -> Iterator[None]:
    """Hold one of the places for logins, and have a refusal take as long as any other. Raises `TooBusy`."""
    places: threading.BoundedSemaphore = current_app.extensions["subusers-login-places"]
    arrived = time.monotonic()
    if not places.acquire(blocking=False):
        raise TooBusy
    try:
        yield
    except LoginRefused:
        time.sleep(-(time.monotonic() - arrived) % REFUSALS_TAKE)
        raise
    finally:
        places.release()


def _plain_body(read: Callable[[object], dict[str, Any] | None]) -> dict[str, Any] | None:
    """Return the body of somebody who has not been let in yet, if there is nothing to be said about it."""
    asked = request_ctx.request
    if asked.environ.get("CONTENT_TYPE") == JSON and (asked.content_length or LARGEST_QUESTION) < LARGEST_QUESTION:
        with suppress(ValueError, RecursionError):  # what is wrong with it is told to those alone whom the key lets in
            return read(read_json(asked.get_data(cache=True)))
    return None


def _key_and_attempt(secret: str) -> ApiKey | None:
    """Find the API key, and in the same read what the attempt to log in begins with, if that can be told already."""
    behind, body = service(), _plain_body(plain.login)
    ip, is_plain = plain_client_ip(request_ctx.request)
    if body is None or not is_plain:
        return behind.api_keys.find(secret)
    here = app_ctx.g
    found, here.looked = behind.sessions.look_ahead(secret, **body, ip=ip)
    here.body = body
    return found


@routes.door(
    "POST",
    "/v1/sessions",
    Scope.PORTAL,
    problems=(HTTPStatus.TOO_MANY_REQUESTS,),
    body=Login,
    gives=(201, OpenedSessionAnswer),
    tells=(POSITION,),
    finds_key=_key_and_attempt,
)
def log_in(body: dict[str, Any]) -> Response:
    """Log a sub-user in.

    One answer, and the same time to it, whatever is wrong. With a temporary password the session is good for setting
    one's own, and for nothing else.
    """
    with login_place():
        outcome = service().sessions.log_in(**body, origin=origin(), looked=app_ctx.g.get("looked"))
    return answer(OPENED.written(outcome.value), HTTPStatus.CREATED, position=outcome.position)


def _key_and_session(secret: str) -> ApiKey | None:
    """Find the API key, and in the same read the session that is asked about, if that can be told already."""
    behind, body = service(), _plain_body(plain.introspection)
    if body is None:
        return behind.api_keys.find(secret)
    found, session = behind.open_sessions.find_with_key(secret, token_hash(body["token"]), behind.clock())
    here = app_ctx.g
    here.body, here.session_ahead = body, session
    return found


@routes.door(
    "POST",
    "/v1/sessions/introspect",
    Scope.PORTAL,
    body=Introspection,
    gives=(200, IntrospectionAnswer),
    finds_key=_key_and_session,
)
def introspect(body: dict[str, Any]) -> Response:
    """Ask what a session is good for at this moment.

    `allowed` is answered where a permission is asked about.
    """
    here = app_ctx.g
    session = here.session_ahead if "session_ahead" in here else _session_of(body["token"])
    asked = body["permission"]
    if session is None or session.of_owner:
        return answer(plain.NO_SESSION if asked is None else plain.NOTHING_ALLOWED)
    permissions = permissions_of(restricted=session.restricted)
    return answer(plain.session(session, permissions, asked))


def _session_of(token: str) -> Session | None:
    try:
        return service().sessions.current(token)
    except SessionEnded:
        return None


@routes.door(
    "PUT",
    "/v1/sessions/current/password",
    Scope.PORTAL,
    problems=(HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND),
    headers=(SESSION_TOKEN,),
    body=OwnPassword,
    gives=(200, OpenedSessionAnswer),
    tells=(POSITION,),
)
def change_own_password(body: dict[str, Any]) -> Response:
    """Set a password of one's own.

    Every session of the sub-user ends; the answer holds a new one.
    """
    token = _session_token()
    outcome = service().sessions.change_own_password(token, body["current_password"], body["new_password"], origin())
    return answer(OPENED.written(outcome.value), position=outcome.position)


@routes.door(
    "DELETE",
    "/v1/sessions/current",
    Scope.PORTAL,
    problems=(HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND),
    headers=(SESSION_TOKEN,),
    gives=(204, None),
    tells=(POSITION,),
)
def log_out() -> Response:
    """Log out."""
    outcome = service().sessions.log_out(_session_token(), origin())
    return answer(None, HTTPStatus.NO_CONTENT, position=outcome.position)


def _session_token() -> str:
    token = request.headers.get("Session-Token", "")
    if not 0 < len(token) <= LONGEST_TOKEN:
        raise unprocessable({"Session-Token": ["is missing"]})
    return token
