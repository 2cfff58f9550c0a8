"""The routes that there are, as the application and its document know them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from api.http.app import create_app
from api.http.doors import scopes_of

if TYPE_CHECKING:
    from api.bootstrap import Service
    from api.console.visitors import Audience
    from application.api_keys import Scope

STAND_IN = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"
"""The sub-user in the document's examples."""


@dataclass(frozen=True)
class Route:
    """One method of one path. `rule` is the path as Flask has it, `body` the document's example, if it takes one.

    `scopes` are those of the API keys that open it; a page of the console opens to its `audience` instead.
    """

    method: str
    rule: str
    scopes: frozenset[Scope] | None
    audience: frozenset[Audience] | None = None
    body: Any = None

    def __str__(self) -> str:
        """Return it as DESIGN's table has it."""
        return f"{self.method} {self.documented_path}"

    @property
    def documented_path(self) -> str:
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", self.rule)

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"<(?:\w+:)?(\w+)>", self.rule)

    def path(self, **ids: object) -> str:
        """Return the path with these ids in it; one that is not given is of nothing that there is."""
        return self.documented_path.format(**{**dict.fromkeys(self.parameters, STAND_IN), **ids})

    def body_about(self, sub_user_id: str) -> dict[str, Any]:
        """Return what a request for this sub-user has besides its path."""
        if self.body is None:
            return {}
        return {"json": json.loads(json.dumps(self.body).replace(STAND_IN, sub_user_id))}


def routes() -> list[Route]:
    """Return every route, by path and method. Nothing is behind this application: it is there to be read."""
    app = create_app(cast("Service", SimpleNamespace(settings=SimpleNamespace(threads=1, streams=1, public_url=""))))
    document = json.loads(app.extensions["subusers-openapi"])
    found = []
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            audience = getattr(app.view_functions[rule.endpoint], "audience", None)
            route = Route(method, rule.rule, scopes_of(app, rule.endpoint), audience)
            found.append(replace(route, body=_example(document, route)))
    return sorted(found, key=lambda route: (route.rule, route.method))


def _example(document: dict[str, Any], route: Route) -> Any:
    operation = document["paths"].get(route.documented_path, {}).get(route.method.lower(), {})
    if "requestBody" not in operation:
        return None
    reference: str = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return document["components"]["schemas"][reference.rpartition("/")[2]]["examples"][0]
