"""Table of all routes, from the application and its OpenAPI document."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from api.flask_application import create_app
from api.http.authentication import scopes_of
from api.http.request_bodies import FORM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.bootstrap.service import Service
    from api.console.current_user import Audience
    from application.commands.api_keys import Scope

EXAMPLE_ID = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"
"""Id of the sub-user in the document's examples."""

VALID_VALUES = {"permission": "assistants"}
"""Values of required query parameters, by name."""


@dataclass(frozen=True)
class Route:
    """One method of one path.

    `rule` is Flask's path pattern; `body` is the document's example of the request body, if the route takes one.
    `scopes` are the API key scopes that may call an API route; `audiences` are the users who may open a page of the
    console.
    """

    method: str
    rule: str
    scopes: frozenset[Scope] | None
    audiences: frozenset[Audience] | None = None
    body: Any = None
    is_form: bool = False
    query: tuple[str, ...] = ()
    """Names of the query parameters."""

    valid_query: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Values of the required query parameters of which `VALID_VALUES` has one."""

    def __str__(self) -> str:
        """Return method and path in the notation of the OpenAPI document."""
        return f"{self.method} {self.documented_path}"

    @property
    def documented_path(self) -> str:
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", self.rule)

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"<(?:\w+:)?(\w+)>", self.rule)

    @property
    def harmless_headers(self) -> dict[str, str]:
        """Headers with which a valid request does not change what all accounts share."""
        return {"If-Match": '"999999"'} if str(self) == "PUT /v1/permissions" else {}

    def path(self, **ids: object) -> str:
        """Return the path with these ids; missing ids are replaced by one that does not exist."""
        return self.documented_path.format(**{**dict.fromkeys(self.parameters, EXAMPLE_ID), **ids})

    def body_about(self, sub_user_id: str) -> dict[str, Any]:
        """Return the request's body, with the id of this sub-user, as keyword arguments for the client."""
        if self.body is None:
            return {}
        body = json.loads(json.dumps(self.body).replace(EXAMPLE_ID, sub_user_id))
        return {"data" if self.is_form else "json": body}


@cache
def routes() -> tuple[Route, ...]:
    """Return every route, ordered by path and method.

    The application needs no real service, because it is only inspected.
    """
    app = create_app(
        cast("Service", SimpleNamespace(settings=SimpleNamespace(threads=1, max_streams=1, public_url="")))
    )
    document = json.loads(app.extensions["subusers-openapi"]())
    all_routes = []
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            audiences = getattr(app.view_functions[rule.endpoint], "audiences", None)
            route = Route(method, rule.rule, scopes_of(app, rule.endpoint), audiences)
            all_routes.append(
                replace(
                    route,
                    body=_example(document, route),
                    is_form=FORM in _request_content(document, route),
                    query=tuple(parameter["name"] for parameter in _query_parameters(document, route)),
                    valid_query={
                        parameter["name"]: VALID_VALUES[parameter["name"]]
                        for parameter in _query_parameters(document, route)
                        if parameter.get("required") and parameter["name"] in VALID_VALUES
                    },
                )
            )
    return tuple(sorted(all_routes, key=lambda route: (route.rule, route.method)))


def _query_parameters(document: dict[str, Any], route: Route) -> Iterator[dict[str, Any]]:
    operation = document["paths"].get(route.documented_path, {}).get(route.method.lower(), {})
    yield from (parameter for parameter in operation.get("parameters", ()) if parameter["in"] == "query")


def _request_content(document: dict[str, Any], route: Route) -> dict[str, Any]:
    """Return the documented request bodies by media type."""
    operation = document["paths"].get(route.documented_path, {}).get(route.method.lower(), {})
    content: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
    return content


def _example(document: dict[str, Any], route: Route) -> Any:
    content = _request_content(document, route)
    if not content:
        return None
    (media_type,) = content.values()
    return media_type["examples"]["Example"]["value"]
