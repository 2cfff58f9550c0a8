"""The HTTP application."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from flask import Flask
from flask_smorest import Api

from api.console.site import add_console
from api.http import (
    accounts,
    activities,
    asyncapi,
    audit_log,
    documentation,
    events,
    history,
    operations,
    proofs,
    sessions,
    sub_users,
    usage,
    webhooks,
)
from api.http.bodies import LARGEST_BODY
from api.http.doors import guard, service
from api.http.metrics import measure
from api.http.problems import register_error_handlers
from api.http.schemas import ProblemAnswer

if TYPE_CHECKING:
    from flask import Response

    from api.bootstrap import Service

A_YEAR_IN_SECONDS = 365 * 24 * 3600

VERSION = "1.0.0"
"""Of the interface, not of the software."""


class ProblemApi(Api):  # type: ignore[misc]  # the library is not typed
    """The library's API without its own way of answering errors."""

    def _register_error_handlers(self) -> None:
        """Leave errors to `api.http.problems`."""


def create_app(service: Service) -> Flask:
    """Return the application on a service."""
    app = Flask("api.http", static_folder=None)
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
    app.after_request(_harden)
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
        sessions,
        activities,
        usage,
        audit_log,
        history,
        events,
        proofs,
        webhooks,
        asyncapi,
        operations,
        documentation,
    ):
        api.register_blueprint(module.routes)
    return documentation.finished(api.spec.to_dict())


def _harden(response: Response) -> Response:
    """Have nothing personal stored on the way, and nothing taken for what it is not."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if service().settings.public_url.startswith("https://"):
        response.headers.setdefault("Strict-Transport-Security", f"max-age={A_YEAR_IN_SECONDS}")
    return response
