"""An account whose sub-users, roles and grants answer the requests of a published scenario."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jsonschema_rs

from application.commands.api_keys import Limits, Scope
from tests.api.clients import ApiClient
from tests.api_keys import BY_OPERATOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients, SubUser

DECISION: dict[str, Any] = {
    "type": "object",
    "required": ["decision"],
    "properties": {"decision": {"type": "boolean"}, "context": {"type": "object"}},
}
"""Response of the Access Evaluation API (section 6.2 of the specification)."""

EVALUATIONS: dict[str, Any] = {
    "type": "object",
    "required": ["evaluations"],
    "properties": {"evaluations": {"type": "array", "items": DECISION}},
}
"""Response of the Access Evaluations API (section 7.2)."""

PAGE: dict[str, Any] = {
    "type": "object",
    "required": ["next_token"],
    "properties": {"next_token": {"type": "string"}, "count": {"type": "integer", "minimum": 0}},
}
ENTITY: dict[str, Any] = {
    "type": "object",
    "required": ["type", "id"],
    "properties": {"type": {"type": "string"}, "id": {"type": "string"}, "properties": {"type": "object"}},
}
ACTION: dict[str, Any] = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}


def search_response(item: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the response of a Search API (section 8)."""
    properties = {"page": PAGE, "context": {"type": "object"}, "results": {"type": "array", "items": item}}
    return {"type": "object", "required": ["results"], "properties": properties}


SCHEMAS = {
    "evaluation": DECISION,
    "evaluations": {"anyOf": [EVALUATIONS, DECISION]},
    "search/subject": search_response(ENTITY),
    "search/resource": search_response(ENTITY),
    "search/action": search_response(ACTION),
}
"""Schemas of responses by path. The specification's own schemas have no licence, so these repeat what its text says."""


@dataclass(frozen=True)
class PolicyDecisionPoint:
    """An account that is asked about the people of a scenario. Its key is allowed for no other account."""

    account: Account
    client: ApiClient
    sub_users: dict[str, SubUser] = field(default_factory=dict)
    """Sub-users by the scenario's id of the user."""

    @classmethod
    def create(cls, clients: ApiClients) -> PolicyDecisionPoint:
        account = clients.register_account()
        limits = Limits(accounts=frozenset({UUID(account.account_id)}))
        key = clients.service.commands.api_keys.create(Scope.PORTAL, "of a scenario", BY_OPERATOR, limits)
        return cls(account, ApiClient.with_key(clients.app, key))

    def set_permissions(self, resource_types: Mapping[str, str]) -> None:
        """Set the catalogue, given the types of resources by permission."""
        permissions = [{"name": name, "resource_type": type_} for name, type_ in resource_types.items()]
        response = self.account.portal.put("/v1/permissions", json={"permissions": permissions})
        assert response.status_code == 200, response.text

    def create_role(self, name: str, permissions: Iterable[str]) -> str:
        body = {"name": name, "permissions": list(permissions)}
        response = self.account.portal.post(f"{self.account.path}/roles", json=body)
        assert response.status_code == 201, response.text
        role_id: str = response.json["role_id"]  # type: ignore[index]
        return role_id

    def add_user(self, user_id: str, *grants: dict[str, Any]) -> None:
        """Create a sub-user with these grants only."""
        sub_user = self.sub_users[user_id] = self.account.create_with_own_password()
        response = self.account.portal.put(f"{sub_user.path}/grants", json={"grants": grants})
        assert response.status_code == 200, response.text

    def send(self, path: str, body: Any, **request: Any) -> TestResponse:
        """Send a request of the scenario, with the id of a sub-user in place of the scenario's user."""
        return self.client.post(f"/access/v1/{path}", json=self._translated(body), **request)

    def ask(self, path: str, body: Any) -> Any:
        """Send a request, require a response as the specification describes it, and return its body."""
        response = self.send(path, body)
        assert response.status_code == 200, response.text
        assert response.content_type == "application/json"
        jsonschema_rs.validate(SCHEMAS[path], response.json)
        return response.json

    def _translated(self, body: Any) -> Any:
        if isinstance(body, list):
            return [self._translated(item) for item in body]
        if not isinstance(body, dict):
            return body
        translated = {name: self._translated(value) for name, value in body.items() if name != "subject"}
        if "subject" in body:
            translated["subject"] = self._translated_subject(body["subject"])
        return translated

    def _translated_subject(self, subject: Any) -> Any:
        if not isinstance(subject, dict):
            return subject
        translated = dict(subject)
        if subject.get("type") == "user":
            translated["type"] = "sub_user"
        if subject.get("id") in self.sub_users:
            translated["id"] = self.sub_users[subject["id"]].sub_user_id
        return translated
