"""Declaration of routes: their scopes, their request and response schemas, and their possible problems."""

from __future__ import annotations

import inspect
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from flask_smorest import Blueprint

from api.http.authentication import accepts_basic, requires_scopes
from api.http.problems import AUTHZEN_PATH, TITLES
from api.http.request_bodies import BodyParser, read_body, read_form, read_optional_body, read_query
from api.strict_parsing import MAX_POSITION
from application.commands.api_keys import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from marshmallow import Schema

View = TypeVar("View", bound="Callable[..., Any]")

COMMON_STATUSES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""Error statuses of every route that needs an API key."""

BODY_STATUSES = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)

IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    "description": "A retry with the same key and body gets the first response again, byte for byte, for 24 hours.",
}
ENTITY_TAG = '(W/)?"[\\x21\\x23-\\x7e]*"'
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string", "pattern": f"^(\\*|{ENTITY_TAG}([ \\t]*,[ \\t]*{ENTITY_TAG})*)$"},
    "description": "Strong or weak ETags, one of which must be the current one, or `*`. Otherwise the response is 412.",
}
REQUIRED_POSITION = {
    "in": "header",
    "name": "Event-Position",
    "schema": {"type": "integer", "minimum": 0, "maximum": MAX_POSITION},
    "description": "Position from an earlier response. The result includes at least all events up to it.",
}
SESSION_TOKEN = {
    "in": "header",
    "name": "Session-Token",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 1000, "pattern": "^[\\x21-\\x7e]+$"},
    "description": "Session token of the sub-user.",
}


PORTAL_HEADERS = [
    {
        "in": "header",
        "name": "X-Client-IP",
        "schema": {"type": "string", "format": "ip"},
        "description": "IPv4 or IPv6 address of the person for whom the portal acts. Recorded, and used to throttle "
        "logins. An empty value counts as none.",
    },
    {
        "in": "header",
        "name": "X-Client-User-Agent",
        "schema": {"type": "string"},
        "description": "User agent of that person's browser. Recorded.",
    },
    {
        "in": "header",
        "name": "X-Request-Id",
        "schema": {"type": "string"},
        "description": "The portal's id of the request: 1 to 64 letters, digits and `_.:-`. Default: generated.",
    },
]
"""Headers that are trusted only with a portal key."""

COMMAND_HEADERS = [
    {
        "in": "header",
        "name": "X-Actor",
        "schema": {"type": "string", "pattern": "^[\\x20-\\x7e]*$"},
        "description": "The person at the portal who acts, such as a name or an e-mail address: up to 200 characters. "
        "Recorded, encrypted. UTF-8; characters outside ASCII are percent-encoded.",
    },
    {
        "in": "header",
        "name": "X-Reason",
        "schema": {"type": "string", "pattern": "^[\\x20-\\x7e]*$"},
        "description": "Why the command is sent: up to 500 characters. Recorded, encrypted. "
        "UTF-8; characters outside ASCII are percent-encoded.",
    },
]
"""Headers that describe a command with a portal or support key."""

REQUIRED_REASON = {
    **COMMAND_HEADERS[1],
    "required": True,
    "schema": {"type": "string", "pattern": "^[\\x20-\\x7e]*[\\x21-\\x7e][\\x20-\\x7e]*$"},
}
"""The header of the reason, where there must be one."""

LOCATION, ETAG, RECORDED_POSITION, EXPORT_CURSOR = "Location", "ETag", "Event-Position", "Export-Cursor"
"""Names of response headers that a route can declare."""


class Routes(Blueprint):  # type: ignore[misc]  # flask-smorest is not typed
    """A group of routes, with its own section in the OpenAPI document."""

    ARGUMENTS_PARSER = BodyParser()

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, __name__, description=description)

    def route(  # noqa: PLR0913  # the complete declaration of a route
        self,
        method: str,
        path: str,
        *scopes: Scope,
        body: type[Schema] | None = None,
        is_body_required: bool = True,
        query: type[Schema] | None = None,
        form: type[Schema] | None = None,
        response: tuple[int, type[Schema] | None] = (200, None),
        problems: tuple[HTTPStatus, ...] = (),
        headers: tuple[dict[str, Any], ...] = (),
        response_headers: tuple[str, ...] = (),
        is_documented: bool = True,
    ) -> Callable[[View], View]:
        """Declare a route; without scopes it is public.

        The view gets the loaded body or query as its first argument, then the path parameters. Its docstring becomes
        the summary and the description in the OpenAPI document, its name the operation id. Routes that are not for
        clients of the API are left out with `is_documented=False`.
        """
        statuses = {*(COMMON_STATUSES if scopes else ()), *problems, *(BODY_STATUSES if body or form else ())}
        if path.startswith(AUTHZEN_PATH):
            statuses -= {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
        is_command = RECORDED_POSITION in response_headers
        documentation: dict[str, Any] = {
            "responses": {str(status.value): _problem(status) for status in sorted(statuses)},
            "security": _security(path) if scopes else [],
            "x-scopes": list(scopes),
            "x-is-documented": is_documented,
            "x-headers": [
                *headers,
                *(PORTAL_HEADERS if Scope.PORTAL in scopes else ()),
                *(_command_headers(headers) if is_command and {Scope.PORTAL, Scope.SUPPORT} & {*scopes} else ()),
            ],
            "x-response-headers": list(response_headers),
        }

        def declare(view: View) -> View:
            documented: Any = view
            documentation["operationId"] = view.__name__
            if body is not None:
                documented = self.arguments(body, required=is_body_required)(documented)
            if query is not None:
                documented = self.arguments(query, location="query")(documented)
            if form is not None:
                documented = self.arguments(form, location="form")(documented)
            # flask-smorest documents its own 422 response here; ours is among the responses above.
            getattr(documented, "_apidoc", {}).get("arguments", {}).pop("responses", None)
            documented = self.response(*response)(documented)
            documented = self.doc(**documentation, description=_description(view, scopes))(documented)
            routed = requires_scopes(*scopes)(_with_loaded_input(view, body, query, form, is_body_required))
            # Only the documentation is taken from flask-smorest: its decorators would slow every request down.
            routed._apidoc = documented._apidoc  # noqa: SLF001  # flask-smorest reads the documentation from there
            super(Routes, self).route(path, methods=[method])(routed)
            return view

        return declare


def _with_loaded_input(
    view: Any,
    body: type[Schema] | None,
    query: type[Schema] | None,
    form: type[Schema] | None,
    is_body_required: bool,  # noqa: FBT001  # passed on, never a literal
) -> Any:
    """Return a view that validates the body, query or form, and passes it before the path parameters."""
    if body is not None:
        read, schema = read_body if is_body_required else read_optional_body, body()
    elif query is not None:
        read, schema = read_query, query()
    elif form is not None:
        read, schema = read_form, form()
    else:
        return view

    @wraps(view)
    def wrapper(**path: Any) -> Any:
        return view(read(schema), **path)

    return wrapper


def _command_headers(declared: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """Return the headers of commands that a route does not declare itself."""
    names = {header["name"] for header in declared}
    return [header for header in COMMAND_HEADERS if header["name"] not in names]


def _security(path: str) -> list[dict[str, list[str]]]:
    """Return the security schemes of a route, any of which is enough."""
    schemes = ["apiKey", "apiKeyAsPassword"] if accepts_basic(path) else ["apiKey"]
    return [{scheme: []} for scheme in schemes]


def _problem(status: HTTPStatus) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": TITLES[status], "content": {"application/problem+json": {"schema": schema}}}


def _description(view: Any, scopes: tuple[Scope, ...]) -> str:
    _, _, rest = (inspect.getdoc(view) or "").partition("\n\n")
    names = " or ".join(f"`{scope}`" for scope in scopes)
    return f"{rest.strip()}\n\nScope: {names}.".strip() if scopes else rest.strip()
