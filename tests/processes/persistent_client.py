"""A portal's client that gives up on no request: it asks again, with the same idempotency key, until it is answered."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.processes.portal import Portal

LONGEST_OUTAGE = 60.0
PAUSE = 0.05
MOST_SUB_USERS = 10
SMALL_WORDS = ("Ada", "Grace", "Mary", "Joan", "Radia", "Frances")


@dataclass(frozen=True)
class Acknowledged:
    """A request that was answered, and the answer."""

    method: str
    path: str
    body: Any
    key: str | None
    status: int
    content: bytes
    position: str | None


@dataclass
class Account:
    """What the client was told of an account: the names and states of its sub-users, and how often what was done."""

    path: str
    sub_users: dict[str, dict[str, str]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)


class PersistentClient:
    """Creates and edits sub-users at random, and remembers every answer."""

    def __init__(self, url: str, api_key: str, seed: int) -> None:
        self._portal = Portal(url, api_key)
        self._chance = random.Random(seed)
        self._calm = threading.Event()
        self.acknowledged: list[Acknowledged] = []
        self.accounts: list[Account] = []
        self.interrupted = 0

    def run(self, over: threading.Event) -> None:
        """Go on until told that it is over."""
        with self._portal:
            while not over.is_set():
                self._step()

    def _step(self) -> None:
        if not self.accounts or (len(self.accounts[-1].sub_users) == MOST_SUB_USERS and self._chance.random() < 0.1):
            self._register()
            return
        account = self.accounts[-1]
        if len(account.sub_users) < MOST_SUB_USERS and self._chance.random() < 0.4:
            self._create(account)
        elif account.sub_users:
            sub_user_id = self._chance.choice(list(account.sub_users))
            self._chance.choice([self._rename, self._activate, self._report])(account, sub_user_id)

    def _register(self) -> None:
        body = {"email": f"boss-{uuid4().hex}@company.example", "company_name": "Winds & Waves"}
        answer = self._ask("POST", "/v1/accounts", body, once=True)
        account = Account(f"/v1/accounts/{answer.json()['account_id']}")
        account.done["main_account.registered"] += 1
        self.accounts.append(account)

    def _create(self, account: Account) -> None:
        name = self._chance.choice(SMALL_WORDS)
        body = {"email": f"someone-{uuid4().hex}@company.example", "name": name, "surname": "Hopper"}
        created = self._ask("POST", f"{account.path}/sub-users", body, once=True).json()
        account.sub_users[created["sub_user_id"]] = {"name": name, "status": "inactive"}
        account.done["sub_user.created"] += 1

    def _rename(self, account: Account, sub_user_id: str) -> None:
        name = f"Grace {uuid4().hex[:8]}"
        self._ask("PATCH", f"{account.path}/sub-users/{sub_user_id}", {"name": name})
        account.sub_users[sub_user_id]["name"] = name
        account.done["sub_user.details_changed"] += 1

    def _activate(self, account: Account, sub_user_id: str) -> None:
        """Activate somebody, or send their access data again."""
        path = f"{account.path}/sub-users/{sub_user_id}"
        if account.sub_users[sub_user_id]["status"] == "active":
            self._ask("POST", f"{path}/credentials-mail", None, once=True)
            account.done["sub_user.password_reset"] += 1
        else:
            self._ask("PATCH", path, {"active": True})
            account.sub_users[sub_user_id]["status"] = "active"
            account.done["sub_user.activated"] += 1

    def _report(self, account: Account, sub_user_id: str) -> None:
        did = {"sub_user_id": sub_user_id, "action": "assistant.edited"}
        self._ask("POST", f"{account.path}/activities", {"activities": [did, did]}, once=True)
        account.done["assistant.edited"] += 2

    def _ask(self, method: str, path: str, body: Any, *, once: bool = False) -> httpx.Response:
        key = uuid4().hex if once else None
        answer = self._answer(method, path, body, {"Idempotency-Key": key} if key else {})
        assert answer.status_code in {200, 201, 202}, f"{method} {path}: {answer.status_code} {answer.text}"
        position = answer.headers.get("Event-Position")
        self.acknowledged.append(Acknowledged(method, path, body, key, answer.status_code, answer.content, position))
        return answer

    def _answer(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        deadline = time.monotonic() + LONGEST_OUTAGE
        while True:
            try:
                answer = self._portal.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                self.interrupted += 1
            else:
                if answer.status_code != 503 and "request-in-progress" not in answer.text:
                    return answer
            assert time.monotonic() < deadline, f"{method} {path} was not answered"
            self._calm.wait(PAUSE)
