"""The Flask application: HTTP API and web console."""

from __future__ import annotations

import threading
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask.sessions import NullSession, SessionInterface
from flask_smorest import Api
from werkzeug.routing import MapAdapter

from api.bootstrap.composition_root import build
from api.console.blueprint import add_console
from api.http import asyncapi
from api.http.authentication import register_authentication
from api.http.deprecation import register_deprecation
from api.http.downloads import limit_downloads
from api.http.metrics import register_metrics
from api.http.openapi.document import INFO, complete_document
from api.http.openapi.routes import routes as documentation
from api.http.problems import register_error_handlers
from api.http.resources.access.routes import routes as access
from api.http.resources.accounts.routes import routes as accounts
from api.http.resources.activities.routes import routes as activities
from api.http.resources.activity_types.routes import routes as activity_types
from api.http.resources.api_keys.routes import routes as api_keys
from api.http.resources.audit_log.routes import routes as audit_log
from api.http.resources.authzen.routes import routes as authzen
from api.http.resources.email_changes.routes import routes as email_changes
from api.http.resources.events.routes import routes as events
from api.http.resources.exports.routes import routes as exports
from api.http.resources.history.routes import routes as history
from api.http.resources.invitations.routes import routes as invitations
from api.http.resources.operations.routes import routes as operations
from api.http.resources.password_resets.routes import routes as password_resets
from api.http.resources.permissions.routes import routes as permissions
from api.http.resources.personal_data.routes import routes as personal_data
from api.http.resources.proofs.routes import routes as proofs
from api.http.resources.roles.routes import routes as roles
from api.http.resources.second_factors.routes import routes as second_factors
from api.http.resources.sessions.routes import routes as sessions
from api.http.resources.sub_users.routes import routes as sub_users
from api.http.resources.usage.routes import routes as usage
from api.http.resources.webhooks.routes import routes as webhooks
from api.http.schemas import ProblemAnswer
from api.server.limits import MAX_BODY_BYTES
from api.server.server_process import Application

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Request, Response

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service

A_YEAR_IN_SECONDS = 365 * 24 * 3600
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Default security headers of responses: no caching, no content sniffing, no referrer, no embedding."""

RESOURCES = (
    accounts,
    sub_users,
    personal_data,
    sessions,
    password_resets,
    invitations,
    second_factors,
    email_changes,
    roles,
    access,
    permissions,
    activity_types,
    authzen,
    activities,
    usage,
    audit_log,
    history,
    exports,
    events,
    proofs,
    webhooks,
    api_keys,
    asyncapi.routes,
    operations,
    documentation,
)
"""Route groups, in the order of the OpenAPI document."""

VERSION = "1.0.0"
"""Version of the API, not of the software."""


class NoSessions(SessionInterface):
    """Disables Flask's sessions: the console sets its own cookies."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002  # declared by Flask
        """Return the shared empty session."""
        return self._none

    def save_session(self, *_: Any) -> None:
        """Do nothing."""


class FlaskApplication(Flask):
    """Flask without its work in each request for features that are not used here.

    Together with `CompleteResponse`, this saves 5 % of the CPU time of an introspection.
    """

    session_interface = NoSessions()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return an adapter that matches a request by its method and path, and ignores the host."""
        if request is None:
            return None
        environ = request.environ
        host, query = environ.get("HTTP_HOST", ""), environ.get("QUERY_STRING", "")
        return MapAdapter(
            self.url_map, host, request.root_path, "", request.scheme, request.path, request.method, query
        )

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function unchanged: no view is a coroutine, and the check takes time for each hook and view."""
        return func


def service_application(settings: Settings) -> Application:
    """Return the application for a server process. Raises `ServiceError` if the database cannot be reached."""
    service = build(settings)
    try:
        app = create_app(service)
    except BaseException:
        service.close()
        raise
    return Application(app, service.queries.event_tail.end, service.close)


class ProblemApi(Api):  # type: ignore[misc]  # flask-smorest is not typed
    """Flask-smorest's API without its error handlers."""

    def _register_error_handlers(self) -> None:
        """Register nothing: `api.http.problems` handles errors."""


def create_app(service: Service) -> Flask:
    """Return the Flask application of a service."""
    app = FlaskApplication("api.http", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.url_map.merge_slashes = False  # a path with an empty segment gets 404, not a redirect
    app.extensions["subusers"] = service
    app.extensions["subusers-waiting-slots"] = threading.BoundedSemaphore(service.settings.max_streams)
    limit_downloads(app)
    register_error_handlers(app)
    add_console(app)
    register_metrics(app)
    register_authentication(app)
    register_deprecation(app)
    app.after_request(partial(_add_default_headers, _default_headers(service)))
    for resource in RESOURCES:
        app.register_blueprint(resource)
    app.extensions["subusers-openapi"] = partial(openapi_document, service.settings.public_url)
    return app


@cache
def openapi_document(public_url: str) -> str:
    """Return the OpenAPI document of all routes as JSON, for a service with this public URL.

    It is built when it is first requested, because it takes longer to build than the rest of the application.
    """
    app = Flask("openapi", static_folder=None)
    app.config.update(API_TITLE="subusers", API_VERSION=VERSION, OPENAPI_VERSION="3.1.0")
    api = ProblemApi(app, spec_kwargs={"info": INFO})
    api.spec.components.schema("Problem", schema=ProblemAnswer)
    api.spec.components.security_scheme("apiKey", {"type": "http", "scheme": "bearer"})
    api.spec.components.security_scheme("apiKeyAsPassword", {"type": "http", "scheme": "basic"})
    for resource in RESOURCES:
        api.register_blueprint(resource)
    return complete_document(api.spec.to_dict(), public_url)


def _default_headers(service: Service) -> dict[str, tuple[str, str]]:
    """Return the default headers by their lower-case names."""
    default_headers = dict(SECURITY_HEADERS)
    if service.settings.public_url.startswith("https://"):
        default_headers["Strict-Transport-Security"] = f"max-age={A_YEAR_IN_SECONDS}"
    return {name.lower(): (name, value) for name, value in default_headers.items()}


def _add_default_headers(default_headers: Mapping[str, tuple[str, str]], response: Response) -> Response:
    headers = response.headers
    present = {name.lower() for name, _ in headers}  # faster than lookups: a failed one raises
    for key, (name, value) in default_headers.items():
        if key not in present:
            headers.add(name, value)
    return response
