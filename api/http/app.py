"""The HTTP application."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask.sessions import NullSession, SessionInterface
from flask_smorest import Api
from werkzeug.routing import MapAdapter

from api.console.site import add_console
from api.http import (
    accounts,
    activities,
    asyncapi,
    audit_log,
    documentation,
    events,
    exports,
    history,
    operations,
    personal_data,
    proofs,
    sessions,
    sub_users,
    usage,
    webhooks,
)
from api.http.bodies import LARGEST_BODY
from api.http.doors import guard
from api.http.metrics import measure
from api.http.problems import register_error_handlers
from api.http.schemas import ProblemAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Request, Response

    from api.bootstrap import Service

A_YEAR_IN_SECONDS = 365 * 24 * 3600
HARDENED = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Headers of every answer that does not say otherwise: nothing personal is stored on the way, and nothing is taken for
what it is not."""

VERSION = "1.0.0"
"""Of the interface, not of the software."""


class NoSessions(SessionInterface):
    """Flask's own sessions, which nothing here uses: the console has cookies of its own."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002  # as the library has it
        """Return the one session that holds nothing."""
        return self._none

    def save_session(self, *_: Any) -> None:
        """Do nothing."""


class Application(Flask):
    """Flask without what it does at every request for things that are not used here."""

    session_interface = NoSessions()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds the route of a request: by method and path, whatever host was asked."""
        if request is None:
            return None
        told = request.environ
        host, query = told.get("HTTP_HOST", ""), told.get("QUERY_STRING", "")
        return MapAdapter(
            self.url_map, host, request.root_path, "", request.scheme, request.path, request.method, query
        )

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is: no view here is a coroutine, and to look takes time for each hook and view."""
        return func


class ProblemApi(Api):  # type: ignore[misc]  # the library is not typed
    """The library's API without its own way of answering errors."""

    def _register_error_handlers(self) -> None:
        """Leave errors to `api.http.problems`."""


def create_app(service: Service) -> Flask:
    """Return the application on a service."""
    app = Application("api.http", static_folder=None)
    app.config.update(
        API_TITLE="subusers",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        PROVIDE_AUTOMATIC_OPTIONS=False,
    )
    app.url_map.merge_slashes = False  # an empty part of a path is answered 404, not redirected
    app.extensions["subusers"] = service
    places = max(1, int(service.settings.threads * sessions.LOGINS_SHARE))
    app.extensions["subusers-login-places"] = threading.BoundedSemaphore(places)
    app.extensions["subusers-waiting-places"] = threading.BoundedSemaphore(service.settings.streams)
    register_error_handlers(app)
    add_console(app)
    measure(app)
    guard(app)
    app.after_request(partial(_harden, _usual_headers(service)))
    app.extensions["subusers-openapi"] = _document(app)
    return app


def _document(app: Flask) -> str:
    """Register the routes, and return the OpenAPI document made from them."""
    api = ProblemApi(app, spec_kwargs={"info": {"description": documentation.DESCRIPTION}})
    api.spec.components.schema("Problem", schema=ProblemAnswer)
    api.spec.components.security_scheme("apiKey", {"type": "http", "scheme": "bearer"})
    for module in (
        accounts,
        sub_users,
        personal_data,
        sessions,
        activities,
        usage,
        audit_log,
        history,
        exports,
        events,
        proofs,
        webhooks,
        asyncapi,
        operations,
        documentation,
    ):
        api.register_blueprint(module.routes)
    return documentation.finished(api.spec.to_dict())


def _usual_headers(service: Service) -> dict[str, tuple[str, str]]:
    """Return headers by their names in lower case."""
    usual = dict(HARDENED)
    if service.settings.public_url.startswith("https://"):
        usual["Strict-Transport-Security"] = f"max-age={A_YEAR_IN_SECONDS}"
    return {name.lower(): (name, value) for name, value in usual.items()}


def _harden(usual: Mapping[str, tuple[str, str]], response: Response) -> Response:
    headers = response.headers
    said = {name.lower() for name, _ in headers}  # to ask for one that is not there raises, and takes as long
    for lower, (name, value) in usual.items():
        if lower not in said:
            headers.add(name, value)
    return response
