"""How a route is declared: its scopes, its shapes, and every problem that it can answer with."""

from __future__ import annotations

import inspect
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from flask_smorest import Blueprint

from api.http.bodies import BodyParser, read_body, read_query
from api.http.doors import opens_to
from api.http.problems import TITLES
from application.api_keys import ApiKey, Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from marshmallow import Schema

View = TypeVar("View", bound="Callable[..., Any]")

ALWAYS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What any route with an API key can answer."""

BODY = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)

IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    "description": "The same key and body get the first answer again, byte for byte, for 24 hours.",
}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The ETag that the change is meant for, or `*`; 412 if the sub-user has been changed since.",
}
EVENT_POSITION = {
    "in": "header",
    "name": "Event-Position",
    "schema": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
    "description": "From an earlier answer: have this read include at least what stands there.",
}
SESSION_TOKEN = {
    "in": "header",
    "name": "Session-Token",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 1000, "pattern": "^[\\x21-\\x7e]+$"},
    "description": "The session of the sub-user who asks.",
}


PORTAL_HEADERS = [
    {
        "in": "header",
        "name": "X-Client-IP",
        "schema": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}, {"maxLength": 0}]},
        "description": "The address of the person for whom the portal asks: recorded, and counted for throttling.",
    },
    {
        "in": "header",
        "name": "X-Client-User-Agent",
        "schema": {"type": "string"},
        "description": "That person's browser: recorded.",
    },
    {
        "in": "header",
        "name": "X-Request-Id",
        "schema": {"type": "string"},
        "description": "The portal's own id of the request: up to 64 letters, digits and `_.:-`, else one is made up.",
    },
]
"""Believed of a portal key alone."""

LOCATION, ETAG, POSITION, EXPORT_CURSOR = "Location", "ETag", "Event-Position", "Export-Cursor"
"""Headers that an answer may have besides those that every answer has."""


class Routes(Blueprint):  # type: ignore[misc]  # the library is not typed
    """A group of routes."""

    ARGUMENTS_PARSER = BodyParser()

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, __name__, description=description)

    def door(  # noqa: PLR0913  # everything there is to say of a route, said in one place
        self,
        method: str,
        path: str,
        *scopes: Scope,
        body: type[Schema] | None = None,
        query: type[Schema] | None = None,
        gives: tuple[int, type[Schema] | None] = (200, None),
        problems: tuple[HTTPStatus, ...] = (),
        headers: tuple[dict[str, Any], ...] = (),
        tells: tuple[str, ...] = (),
        finds_key: Callable[[str], ApiKey | None] | None = None,
    ) -> Callable[[View], View]:
        """Declare a route, the scopes that open it, what it takes and gives, and what else it can answer.

        The view gets the body or the query first, then what the path holds. `finds_key` looks the API key up together
        with what the view will need, where that spares a question to the database.
        """
        statuses = {*(ALWAYS if scopes else ()), *problems, *(BODY if body is not None else ())}
        documentation: dict[str, Any] = {
            "responses": {str(status.value): _problem(status) for status in sorted(statuses)},
            "security": [{"apiKey": []}] if scopes else [],
            "x-scopes": list(scopes),
            "x-headers": [*headers, *(PORTAL_HEADERS if Scope.PORTAL in scopes else ())],
            "x-tells": list(tells),
        }

        def declare(view: View) -> View:
            documented: Any = view
            documentation["operationId"] = view.__name__
            if body is not None:
                documented = self.arguments(body)(documented)
            if query is not None:
                documented = self.arguments(query, location="query")(documented)
            # The library documents a refusal of its own here; ours is among the responses above.
            getattr(documented, "_apidoc", {}).get("arguments", {}).pop("responses", None)
            documented = self.response(*gives)(documented)
            documented = self.doc(**documentation, description=_described(view, scopes))(documented)
            routed = opens_to(*scopes)(_taking(view, body, query))
            routed.finds_key = finds_key
            # The library makes the document; what it wraps views in, one layer for each thing said, takes time.
            routed._apidoc = documented._apidoc  # noqa: SLF001  # where it looks for what it has been told
            self.route(path, methods=[method])(routed)
            return view

        return declare


def _taking(view: Any, body: type[Schema] | None, query: type[Schema] | None) -> Any:
    """Return what Flask calls: the view with its body or query, checked, before what the path holds."""
    if body is not None:
        read, schema = read_body, body()
    elif query is not None:
        read, schema = read_query, query()
    else:
        return view

    @wraps(view)
    def taking(**path: Any) -> Any:
        return view(read(schema), **path)

    return taking


def _problem(status: HTTPStatus) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": TITLES[status], "content": {"application/problem+json": {"schema": schema}}}


def _described(view: Any, scopes: tuple[Scope, ...]) -> str:
    _, _, rest = (inspect.getdoc(view) or "").partition("\n\n")
    names = " or ".join(f"`{scope}`" for scope in scopes)
    return f"{rest.strip()}\n\nScope: {names}.".strip() if scopes else rest.strip()
