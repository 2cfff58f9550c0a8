"""HTTP client of a portal's backend, and the companies and sub-users that it manages."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import httpx

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""TLS context without CA certificates: the tests use plain HTTP, and loading the certificates is slow."""

TEMPORARY = "first phrase for now"
OWN = "seven quiet rivers meet"


class Portal(httpx.Client):
    """HTTP client that authenticates with an API key."""

    def __init__(self, url: str, api_key: str, **options: Any) -> None:
        super().__init__(
            base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=30, verify=NO_AUTHORITIES, **options
        )

    def call(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send a request; return the response, requiring a status. `Session_Token="x"` sends `Session-Token: x`."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.request(method, path, json=body, headers=fields)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response

    def register(self, email: str | None = None, company_name: str = "Winds & Waves") -> Company:
        """Register a main account."""
        email = email or f"boss-{uuid4().hex}@company.example"
        response = self.call(201, "POST", "/v1/accounts", {"email": email, "company_name": company_name})
        return Company(self, response.headers["Location"], email)

    def introspect(self, token: str) -> Any:
        """Return the introspection of a session token."""
        return self.call(200, "POST", "/v1/sessions/introspect", {"token": token}).json()


@dataclass(frozen=True)
class Company:
    """A main account; the methods send its requests."""

    portal: Portal
    path: str
    email: str

    def add(self, email: str | None = None, password: str = TEMPORARY, **details: str) -> SubUserHandle:
        """Create an inactive sub-user."""
        email = email or f"someone-{uuid4().hex}@company.example"
        body = {"email": email, "name": "Grace", "surname": "Hopper", "password": password, **details}
        response = self.portal.call(201, "POST", f"{self.path}/sub-users", body)
        return SubUserHandle(self, response.json()["sub_user_id"], email, password)

    def add_with_own_password(self, own: str = OWN, **details: str) -> SubUserHandle:
        """Create an active sub-user who has chosen a password."""
        sub_user = self.add(**details)
        sub_user.change(status="active")
        return sub_user.choose_password(own)

    def sub_users(self) -> list[Any]:
        """Return the list of sub-users."""
        items: list[Any] = self.portal.call(200, "GET", f"{self.path}/sub-users?limit=200").json()["items"]
        return items

    def audit_log(self) -> list[Any]:
        """Return the whole audit log, newest first."""
        response = self.portal.call(200, "GET", f"{self.path}/audit-log", Accept="application/x-ndjson")
        return [json.loads(line) for line in response.text.splitlines()]


@dataclass(frozen=True)
class SubUserHandle:
    """A sub-user and their current password; the methods send requests about the sub-user."""

    company: Company
    sub_user_id: str
    email: str
    password: str = field(repr=False)

    @property
    def path(self) -> str:
        """The URL path of the sub-user."""
        return f"{self.company.path}/sub-users/{self.sub_user_id}"

    @property
    def login_body(self) -> dict[str, str]:
        """The body of a login request."""
        return {"account_email": self.company.email, "email": self.email, "password": self.password}

    def change(self, **changes: Any) -> Any:
        """Edit the sub-user; return the updated resource."""
        return self.company.portal.call(200, "PATCH", self.path, changes).json()

    def delete(self) -> None:
        """Delete the sub-user."""
        self.company.portal.call(204, "DELETE", self.path)

    def log_in(self) -> str:
        """Log in; return the session token."""
        token: str = self.company.portal.call(201, "POST", "/v1/sessions", self.login_body).json()["token"]
        return token

    def choose_password(self, own: str) -> SubUserHandle:
        """Change the sub-user's password; return the sub-user with the new password."""
        body = {"current_password": self.password, "new_password": own}
        self.company.portal.call(200, "PUT", "/v1/sessions/current/password", body, Session_Token=self.log_in())
        return replace(self, password=own)
