"""Portal client that retries every request, with the same idempotency key, until it gets a response."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from domain.mails import MAILS_PER_RECIPIENT
from tests.processes.portal import Portal

if TYPE_CHECKING:
    import threading

MAX_OUTAGE_SECONDS = 60.0
RETRY_PAUSE_SECONDS = 0.05
MAX_SUB_USERS = 10
NAMES = ("Ada", "Grace", "Mary", "Joan", "Radia", "Frances")


@dataclass(frozen=True)
class AcknowledgedRequest:
    """A successful request and its response."""

    method: str
    path: str
    body: Any
    key: str | None
    status: int
    content: bytes
    position: str | None


@dataclass
class Account:
    """Expected state of an account: names, statuses and mails of its sub-users, and the number of events by action."""

    path: str
    sub_users: dict[str, dict[str, str]] = field(default_factory=dict)
    mail_counts: Counter[str] = field(default_factory=Counter)
    action_counts: Counter[str] = field(default_factory=Counter)


class PersistentClient:
    """Client that creates and edits sub-users at random, and records every response."""

    def __init__(self, url: str, api_key: str, seed: int) -> None:
        self._portal = Portal(url, api_key)
        self._rng = random.Random(seed)
        self.acknowledged: list[AcknowledgedRequest] = []
        self.accounts: list[Account] = []
        self.interrupted_requests = 0

    def run(self, stop: threading.Event) -> None:
        """Send requests until `stop` is set."""
        with self._portal:
            while not stop.is_set():
                self._send_random_request()

    def _send_random_request(self) -> None:
        if not self.accounts or (len(self.accounts[-1].sub_users) == MAX_SUB_USERS and self._rng.random() < 0.1):
            self._register()
            return
        account = self.accounts[-1]
        if len(account.sub_users) < MAX_SUB_USERS and self._rng.random() < 0.4:
            self._create(account)
        elif account.sub_users:
            sub_user_id = self._rng.choice(list(account.sub_users))
            self._rng.choice([self._rename, self._activate, self._report_activities])(account, sub_user_id)

    def _register(self) -> None:
        body = {"email": f"boss-{uuid4().hex}@company.example", "company_name": "Winds & Waves"}
        response = self._send("POST", "/v1/accounts", body, idempotent=True)
        account = Account(f"/v1/accounts/{response.json()['account_id']}")
        account.action_counts["main_account.registered"] += 1
        self.accounts.append(account)

    def _create(self, account: Account) -> None:
        name = self._rng.choice(NAMES)
        body = {"email": f"someone-{uuid4().hex}@company.example", "name": name, "surname": "Hopper"}
        created = self._send("POST", f"{account.path}/sub-users", body, idempotent=True).json()
        account.sub_users[created["sub_user_id"]] = {"name": name, "status": "inactive"}
        account.action_counts["sub_user.created"] += 1

    def _rename(self, account: Account, sub_user_id: str) -> None:
        name = f"Grace {uuid4().hex[:8]}"
        self._send("PATCH", f"{account.path}/sub-users/{sub_user_id}", {"name": name})
        account.sub_users[sub_user_id]["name"] = name
        account.action_counts["sub_user.details_changed"] += 1

    def _activate(self, account: Account, sub_user_id: str) -> None:
        """Activate a sub-user, or send credentials again to an active one until the limit of mails refuses it."""
        path = f"{account.path}/sub-users/{sub_user_id}"
        if account.sub_users[sub_user_id]["status"] == "inactive":
            self._send("PATCH", path, {"status": "active"})
            account.sub_users[sub_user_id]["status"] = "active"
            account.action_counts["sub_user.activated"] += 1
        elif account.mail_counts[sub_user_id] < MAILS_PER_RECIPIENT:
            self._send("POST", f"{path}/credentials-mail", None, idempotent=True)
            account.action_counts["sub_user.password_reset"] += 1
        else:
            response = self._retry("POST", f"{path}/credentials-mail", None, {"Idempotency-Key": uuid4().hex})
            assert response.status_code == 429, f"mail beyond the limit: {response.status_code} {response.text}"
            return
        account.mail_counts[sub_user_id] += 1

    def _report_activities(self, account: Account, sub_user_id: str) -> None:
        activity = {"sub_user_id": sub_user_id, "action": "assistant.edited"}
        self._send("POST", f"{account.path}/activities", {"activities": [activity, activity]}, idempotent=True)
        account.action_counts["assistant.edited"] += 2

    def _send(self, method: str, path: str, body: Any, *, idempotent: bool = False) -> httpx.Response:
        key = uuid4().hex if idempotent else None
        response = self._retry(method, path, body, {"Idempotency-Key": key} if key else {})
        assert response.status_code in {200, 201, 202}, f"{method} {path}: {response.status_code} {response.text}"
        position = response.headers.get("Event-Position")
        self.acknowledged.append(
            AcknowledgedRequest(method, path, body, key, response.status_code, response.content, position)
        )
        return response

    def _retry(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        deadline = time.monotonic() + MAX_OUTAGE_SECONDS
        while True:
            try:
                response = self._portal.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                self.interrupted_requests += 1
            else:
                if response.status_code != 503 and "request-in-progress" not in response.text:
                    return response
            assert time.monotonic() < deadline, f"{method} {path} was not answered"
            time.sleep(RETRY_PAUSE_SECONDS)
