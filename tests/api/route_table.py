"""The routes that there are, as the application and its document know them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from api.http.app import create_app
from api.http.doors import scopes_of

if TYPE_CHECKING:
    from api.bootstrap import Service
    from application.api_keys import Scope

STAND_IN = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"
"""The sub-user in the document's examples."""


@dataclass(frozen=True)
class Route:
    """One method of one path. `rule` is the path as Flask has it, `body` the document's example, if it takes one."""

    method: str
    rule: str
    scopes: frozenset[Scope] | None
    body: Any

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
        return self.documented_path.format(**ids)

    def body_about(self, sub_user_id: str) -> dict[str, Any]:
        """Return what a request for this sub-user has besides its path."""
        if self.body is None:
            return {}
        return {"json": json.loads(json.dumps(self.body).replace(STAND_IN, sub_user_id))}


def routes() -> list[Route]:
    """Return every route, by path and method. Nothing is behind this application: it is there to be read."""
    app = create_app(cast("Service", SimpleNamespace(settings=SimpleNamespace(threads=1))))
    document = json.loads(app.extensions["subusers-openapi"])
    found = []
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            route = Route(method, rule.rule, scopes_of(app, rule.endpoint), None)
            body = _example(document, route)
            found.append(Route(method, rule.rule, route.scopes, body))
    return sorted(found, key=lambda route: (route.rule, route.method))


def _example(document: dict[str, Any], route: Route) -> Any:
    operation = document["paths"].get(route.documented_path, {}).get(route.method.lower(), {})
    if "requestBody" not in operation:
        return None
    reference: str = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return document["components"]["schemas"][reference.rpartition("/")[2]]["examples"][0]
