"""Who calls the HTTP interface: each with an API key, and a company and its sub-users as seen through it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from api.http.app import create_app
from application.api_keys import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask
    from werkzeug.test import TestResponse

    from api.bootstrap import Service

TEMPORARY = "first phrase for now"
OWN = "a password of my own"

numbers = count(1)


@dataclass(frozen=True)
class Caller:
    """Somebody who sends requests, with these headers in each."""

    app: Flask
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def with_key(cls, app: Flask, key: str) -> Caller:
        return cls(app, {"Authorization": f"Bearer {key}"})

    def sending(self, **headers: str) -> Caller:
        """Return the same with further headers: X_Client_IP stands for X-Client-IP."""
        return replace(self, headers={**self.headers, **{name.replace("_", "-"): headers[name] for name in headers}})

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **request: Any) -> TestResponse:
        """Send a request; `json`, `data`, `query_string` and so on are those of Werkzeug's EnvironBuilder."""
        every = {**self.headers, **(headers or {})}
        return self.app.test_client().open(path, method=method, headers=every, buffered=True, **request)

    def get(self, path: str, **request: Any) -> TestResponse:
        return self.ask("GET", path, **request)

    def post(self, path: str, **request: Any) -> TestResponse:
        return self.ask("POST", path, **request)

    def put(self, path: str, **request: Any) -> TestResponse:
        return self.ask("PUT", path, **request)

    def patch(self, path: str, **request: Any) -> TestResponse:
        return self.ask("PATCH", path, **request)

    def delete(self, path: str, **request: Any) -> TestResponse:
        return self.ask("DELETE", path, **request)


@dataclass(frozen=True)
class Doors:
    """A service's HTTP interface, and somebody with a key of each scope before it."""

    service: Service
    app: Flask
    portal: Caller
    support: Caller
    auditor: Caller
    analytics: Caller

    @classmethod
    def of(cls, service: Service) -> Doors:
        app = create_app(service)
        keys = {scope: service.api_keys.create(scope, f"the {scope}'s key", service.clock()) for scope in Scope}
        return cls(service, app, **{str(scope): Caller.with_key(app, keys[scope]) for scope in Scope})

    @property
    def stranger(self) -> Caller:
        """Somebody without a key."""
        return Caller(self.app)

    def with_scope(self, scope: Scope) -> Caller:
        caller: Caller = getattr(self, scope)
        return caller

    def account(self, **details: Any) -> Account:
        """Have the portal register a main account."""
        body = {"email": f"boss-{uuid4().hex[:8]}@company.example", "company_name": "Winds & Waves", **details}
        made = self.portal.post("/v1/accounts", json=body)
        assert made.status_code == 201, made.text
        return Account(self.portal, made.json["account_id"], body["email"], made)  # type: ignore[index]


@dataclass(frozen=True)
class Account:
    """A main account, used through the portal."""

    portal: Caller
    account_id: str
    email: str
    answer: TestResponse

    @property
    def path(self) -> str:
        return f"/v1/accounts/{self.account_id}"

    def let_in(self, password: str | None = TEMPORARY, **details: Any) -> SubUser:
        """Create a sub-user, inactive as yet; None has the service make up the password."""
        body = {"email": f"someone-{next(numbers)}@company.example", "name": "Grace", "surname": "Hopper", **details}
        if password is not None:
            body["password"] = password
        made = self.portal.post(f"{self.path}/sub-users", json=body)
        assert made.status_code == 201, made.text
        return SubUser(self, made.json["sub_user_id"], body["email"], password or "", made)  # type: ignore[index]

    def let_in_active(self, **details: Any) -> SubUser:
        """Create a sub-user and activate them: they have a temporary password."""
        one = self.let_in(**details)
        one.change(active=True)
        return one

    def let_in_settled(self, **details: Any) -> SubUser:
        """Create a sub-user who has a password of their own."""
        return self.let_in_active(**details).choosing(OWN)

    def rows(self, **query: Any) -> list[dict[str, Any]]:
        """Return the audit log, newest first."""
        answer = self.portal.get(f"{self.path}/audit-log", query_string={"limit": 200, **query})
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json["items"]  # type: ignore[index]
        return rows


@dataclass(frozen=True)
class SubUser:
    """A sub-user, and the password that they know."""

    account: Account
    sub_user_id: str
    email: str
    password: str
    answer: TestResponse

    @property
    def path(self) -> str:
        return f"{self.account.path}/sub-users/{self.sub_user_id}"

    @property
    def credentials(self) -> dict[str, str]:
        """What they log in with."""
        return {"account_email": self.account.email, "email": self.email, "password": self.password}

    def shown(self) -> dict[str, Any]:
        answer = self.account.portal.get(self.path)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json  # type: ignore[assignment]
        return shown

    def etag(self) -> str:
        """Return the entity tag of what is shown now."""
        return self.account.portal.get(self.path).headers["ETag"]

    def change(self, **changes: Any) -> TestResponse:
        answer = self.account.portal.patch(self.path, json=changes)
        assert answer.status_code == 200, answer.text
        return answer

    def log_in(self, **instead: Any) -> TestResponse:
        """Try to log in, with what they know or something else."""
        return self.account.portal.post("/v1/sessions", json={**self.credentials, **instead})

    def token(self) -> str:
        """Log in, and return the token."""
        answer = self.log_in()
        assert answer.status_code == 201, answer.text
        token: str = answer.json["token"]  # type: ignore[index]
        return token

    def choosing(self, password: str) -> SubUser:
        """Set a password of their own, and return them as somebody who knows it."""
        body = {"current_password": self.password, "new_password": password}
        headers = {"Session-Token": self.token()}
        answer = self.account.portal.put("/v1/sessions/current/password", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return replace(self, password=password)


def is_active(portal: Caller, token: str) -> bool:
    """Tell whether a token is good for anything now."""
    answer = portal.post("/v1/sessions/introspect", json={"token": token})
    assert answer.status_code == 200, answer.text
    return bool(answer.json["active"])  # type: ignore[index]


def require_problem(answer: TestResponse, status: int, kind: str, *fields: str) -> Any:
    """Require an RFC 9457 problem of this kind that names these fields, and return its body."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    problem: Any = answer.json
    assert problem["type"] == f"urn:subusers:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert set(problem) == {"type", "title", "status", "detail", "request_id"} | ({"errors"} if fields else set())
    assert set(problem.get("errors", ())) == set(fields)
    return problem
