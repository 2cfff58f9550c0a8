"""A portal's backend, and whom it looks after, over HTTP."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import httpx

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""All is plain HTTP here: this spares every client the reading of certificates."""

TEMPORARY = "first phrase for now"
OWN = "seven quiet rivers meet"


class Portal(httpx.Client):
    """Sends requests with a portal's API key."""

    def __init__(self, url: str, api_key: str, **options: Any) -> None:
        super().__init__(
            base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=30, verify=NO_AUTHORITIES, **options
        )

    def ask(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Return the answer, which must have this status; Session_Token stands for Session-Token."""
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.request(method, path, json=body, headers=spelled)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def register(self, email: str | None = None, company_name: str = "Winds & Waves") -> Company:
        """Set up a main account."""
        email = email or f"boss-{uuid4().hex}@company.example"
        answer = self.ask(201, "POST", "/v1/accounts", {"email": email, "company_name": company_name})
        return Company(self, answer.headers["Location"], email)

    def introspect(self, token: str) -> Any:
        """Ask what a session is good for."""
        return self.ask(200, "POST", "/v1/sessions/introspect", {"token": token}).json()


@dataclass(frozen=True)
class Company:
    """A main account."""

    portal: Portal
    path: str
    email: str

    def add(self, email: str | None = None, password: str = TEMPORARY, **details: str) -> Person:
        """Let a sub-user in, inactive as yet."""
        email = email or f"someone-{uuid4().hex}@company.example"
        body = {"email": email, "name": "Grace", "surname": "Hopper", "password": password, **details}
        answer = self.portal.ask(201, "POST", f"{self.path}/sub-users", body)
        return Person(self, answer.json()["sub_user_id"], email, password)

    def add_settled(self, own: str = OWN, **details: str) -> Person:
        """Let a sub-user in who is active and has a password of their own."""
        person = self.add(**details)
        person.change(active=True)
        return person.choose_password(own)

    def sub_users(self) -> list[Any]:
        """Return every sub-user there is."""
        items: list[Any] = self.portal.ask(200, "GET", f"{self.path}/sub-users?limit=200").json()["items"]
        return items

    def audit_log(self) -> list[Any]:
        """Return the whole audit log, newest first."""
        answer = self.portal.ask(200, "GET", f"{self.path}/audit-log", Accept="application/x-ndjson")
        return [json.loads(line) for line in answer.text.splitlines()]


@dataclass(frozen=True)
class Person:
    """A sub-user, and the password that they know."""

    company: Company
    sub_user_id: str
    email: str
    password: str = field(repr=False)

    @property
    def path(self) -> str:
        """Where they are."""
        return f"{self.company.path}/sub-users/{self.sub_user_id}"

    @property
    def login(self) -> dict[str, str]:
        """What they log in with."""
        return {"account_email": self.company.email, "email": self.email, "password": self.password}

    def change(self, **changes: Any) -> Any:
        """Have the main account change something of them."""
        return self.company.portal.ask(200, "PATCH", self.path, changes).json()

    def delete(self) -> None:
        """Have the main account delete them."""
        self.company.portal.ask(204, "DELETE", self.path)

    def log_in(self) -> str:
        """Log in, and return the token."""
        token: str = self.company.portal.ask(201, "POST", "/v1/sessions", self.login).json()["token"]
        return token

    def choose_password(self, own: str) -> Person:
        """Set a password of their own, and return them as somebody who knows it."""
        body = {"current_password": self.password, "new_password": own}
        self.company.portal.ask(200, "PUT", "/v1/sessions/current/password", body, Session_Token=self.log_in())
        return replace(self, password=own)
