"""HTTP clients for tests: one for each API key scope, and objects for a main account and its sub-users."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from api.deprecated_names import Kind, deprecated_names
from api.flask_application import create_app
from application.commands.api_keys import Scope
from projections.runtime.freshness import Freshness
from tests.api_keys import add_api_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask
    from werkzeug.test import TestResponse

    from api.bootstrap.service import Service

TEMPORARY_PASSWORD = "first phrase for now"
OWN_PASSWORD = "a password of my own"
METRICS_TOKEN = "the-token-of-a-Prometheus"

sub_user_numbers = count(1)


@dataclass(frozen=True)
class ApiClient:
    """A client that sends the same headers with every request."""

    app: Flask
    headers: Mapping[str, str] = field(default_factory=dict)
    may_use_deprecated_names: bool = False

    @classmethod
    def with_key(cls, app: Flask, key: str) -> ApiClient:
        return cls(app, {"Authorization": f"Bearer {key}"})

    def with_headers(self, **headers: str) -> ApiClient:
        """Return a client with further headers; `X_Client_IP` means `X-Client-IP`."""
        return replace(self, headers={**self.headers, **{name.replace("_", "-"): headers[name] for name in headers}})

    def with_deprecated_names(self) -> ApiClient:
        """Return a client whose requests may have deprecated names."""
        return replace(self, may_use_deprecated_names=True)

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None, **request: Any) -> TestResponse:
        """Send a request; `json`, `data`, `query_string` and so on are arguments of Werkzeug's EnvironBuilder."""
        all_headers = {**self.headers, **(headers or {})}
        response = self.app.test_client().open(path, method=method, headers=all_headers, buffered=True, **request)
        assert self.may_use_deprecated_names or "Deprecation" not in response.headers, "use the replacement"
        return response

    def get(self, path: str, **request: Any) -> TestResponse:
        return self.request("GET", path, **request)

    def post(self, path: str, **request: Any) -> TestResponse:
        return self.request("POST", path, **request)

    def put(self, path: str, **request: Any) -> TestResponse:
        return self.request("PUT", path, **request)

    def patch(self, path: str, **request: Any) -> TestResponse:
        return self.request("PATCH", path, **request)

    def delete(self, path: str, **request: Any) -> TestResponse:
        return self.request("DELETE", path, **request)


@dataclass(frozen=True)
class ApiClients:
    """The service's HTTP interface, with a client for each API key scope."""

    service: Service
    app: Flask
    portal: ApiClient
    support: ApiClient
    auditor: ApiClient
    analytics: ApiClient

    @classmethod
    def of(cls, service: Service) -> ApiClients:
        app = create_app(service)
        keys = {scope: add_api_key(service, scope, f"the {scope}'s key") for scope in Scope}
        return cls(service, app, **{str(scope): ApiClient.with_key(app, keys[scope]) for scope in Scope})

    @property
    def anonymous(self) -> ApiClient:
        """A client without an API key."""
        return ApiClient(self.app)

    @property
    def prometheus(self) -> ApiClient:
        """A client with the metrics token."""
        return ApiClient.with_key(self.app, METRICS_TOKEN)

    def with_scope(self, scope: Scope) -> ApiClient:
        client: ApiClient = getattr(self, scope)
        return client

    def sign_checkpoint(self) -> int:
        """Sign a checkpoint of everything recorded so far, and return the position of its last event."""
        Freshness(self.service.database).wait_for_view("merkle-tree")
        self.service.workers.checkpointer.sign_now()
        newest = self.service.queries.checkpoints.newest()
        assert newest is not None
        return newest.position

    def register_account(self, **details: Any) -> Account:
        """Register a main account through the portal."""
        body = {"email": f"boss-{uuid4().hex[:8]}@company.example", "company_name": "Winds & Waves", **details}
        response = self.portal.post("/v1/accounts", json=body)
        assert response.status_code == 201, response.text
        return Account(self.portal, response.json["account_id"], body["email"], response)  # type: ignore[index]


@dataclass(frozen=True)
class Account:
    """A main account, used through the portal."""

    portal: ApiClient
    account_id: str
    email: str
    response: TestResponse

    @property
    def path(self) -> str:
        return f"/v1/accounts/{self.account_id}"

    def create_sub_user(self, password: str | None = TEMPORARY_PASSWORD, **details: Any) -> SubUser:
        """Create an inactive sub-user; with a password of None, the service generates one."""
        body = {
            "email": f"someone-{next(sub_user_numbers)}@company.example",
            "name": "Grace",
            "surname": "Hopper",
            **details,
        }
        if password is not None:
            body["password"] = password
        response = self.portal.post(f"{self.path}/sub-users", json=body)
        assert response.status_code == 201, response.text
        return SubUser(self, response.json["sub_user_id"], body["email"], password or "", response)  # type: ignore[index]

    def create_active(self, **details: Any) -> SubUser:
        """Create an active sub-user with a temporary password."""
        sub_user = self.create_sub_user(**details)
        sub_user.change(status="active")
        return sub_user

    def create_with_own_password(self, **details: Any) -> SubUser:
        """Create an active sub-user who has set their own password."""
        return self.create_active(**details).set_own_password(OWN_PASSWORD)

    def create_role(self, *permissions: str, name: str | None = None) -> str:
        """Create a role with these permissions, and return its id."""
        body = {"name": name or f"Role {uuid4()}", "permissions": permissions}
        response = self.portal.post(f"{self.path}/roles", json=body)
        assert response.status_code == 201, response.text
        role_id: str = response.json["role_id"]  # type: ignore[index]
        return role_id

    def audit_log_rows(self, **query: Any) -> list[dict[str, Any]]:
        """Return the audit log, newest entry first."""
        response = self.portal.get(f"{self.path}/audit-log", query_string={"limit": 200, **query})
        assert response.status_code == 200, response.text
        rows: list[dict[str, Any]] = response.json["items"]  # type: ignore[index]
        return rows


@dataclass(frozen=True)
class SubUser:
    """A sub-user and their current password."""

    account: Account
    sub_user_id: str
    email: str
    password: str
    response: TestResponse

    @property
    def path(self) -> str:
        return f"{self.account.path}/sub-users/{self.sub_user_id}"

    @property
    def credentials(self) -> dict[str, str]:
        """The sub-user's login credentials."""
        return {"account_email": self.account.email, "email": self.email, "password": self.password}

    def fetch(self) -> dict[str, Any]:
        response = self.account.portal.get(self.path)
        assert response.status_code == 200, response.text
        details: dict[str, Any] = response.json  # type: ignore[assignment]
        return details

    def fetch_etag(self) -> str:
        """Return the current entity tag."""
        return self.account.portal.get(self.path).headers["ETag"]

    def change(self, **changes: Any) -> TestResponse:
        response = self.account.portal.patch(self.path, json=changes)
        assert response.status_code == 200, response.text
        return response

    def grants(self) -> list[dict[str, Any]]:
        response = self.account.portal.get(f"{self.path}/grants")
        assert response.status_code == 200, response.text
        items: list[dict[str, Any]] = response.json["items"]  # type: ignore[index]
        return items

    def set_grants(self, *grants: dict[str, Any]) -> list[dict[str, Any]]:
        """Replace the sub-user's grants, and return them."""
        response = self.account.portal.put(f"{self.path}/grants", json={"grants": grants})
        assert response.status_code == 200, response.text
        items: list[dict[str, Any]] = response.json["items"]  # type: ignore[index]
        return items

    def log_in(self, **overrides: Any) -> TestResponse:
        """Send a login request with the sub-user's credentials; `overrides` replaces some of them."""
        return self.account.portal.post("/v1/sessions", json={**self.credentials, **overrides})

    def new_token(self) -> str:
        """Log in and return the session token."""
        response = self.log_in()
        assert response.status_code == 201, response.text
        token: str = response.json["token"]  # type: ignore[index]
        return token

    def set_own_password(self, password: str) -> SubUser:
        """Set the sub-user's own password, and return the sub-user with it."""
        body = {"current_password": self.password, "new_password": password}
        headers = {"Session-Token": self.new_token()}
        response = self.account.portal.put("/v1/sessions/current/password", json=body, headers=headers)
        assert response.status_code == 200, response.text
        return replace(self, password=password)


def is_session_active(portal: ApiClient, token: str) -> bool:
    """Return whether a session token is active."""
    response = portal.post("/v1/sessions/introspect", json={"token": token})
    assert response.status_code == 200, response.text
    return bool(response.json["active"])  # type: ignore[index]


NESTED_FIELDS = {
    "activity_types",
    "groups",
    *("activities", "usage", "permissions", "grants", "checks", "evaluations"),
    *("subject", "action", "resource", "context", "page", "options"),
}
"""Fields of request bodies that are lists of objects, or objects."""

EXTENSION_MEMBERS = {
    "store-went-back": {"epoch", "common_position"},
    **{str(deprecated.replacement): {"previous_type"} for deprecated in deprecated_names(Kind.PROBLEM_TYPE)},
}
"""Members of a problem in addition to those of RFC 9457, by problem type."""


def require_problem(response: TestResponse, status: int, problem_type: str, *fields: str) -> Any:
    """Require an RFC 9457 problem of this type, with errors for exactly these fields; return its body.

    The errors of a field are a list of messages, except for an object or a list of objects.
    """
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    problem: Any = response.json
    assert problem["type"] == f"urn:subusers:problem:{problem_type}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["X-Request-Id"]
    extension_members = {"errors"} if fields else EXTENSION_MEMBERS.get(problem_type, set())
    assert set(problem) == {"type", "title", "status", "detail", "request_id"} | extension_members
    errors = problem.get("errors", {})
    assert set(errors) == set(fields)
    assert all(
        isinstance(messages, list) and all(isinstance(message, str) for message in messages)
        for name, messages in errors.items()
        if name not in NESTED_FIELDS or isinstance(messages, list)
    ), errors
    return problem
