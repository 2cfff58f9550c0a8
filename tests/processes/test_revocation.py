"""Immediate revocation: once the command that ends access has returned, no process accepts an old token."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

import pytest

from tests.processes.portal import Person, Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.conftest import Running

CLIENTS = 16
ENOUGH_TOKENS = 24
INTROSPECTIONS_AFTERWARDS = 200
"""Introspections after the end of access that each round waits for."""

LATE_CLOCK = timedelta(seconds=0.5)
"""By how much a process's clock may be late: the round trip of its reading of the database's, on a busy machine."""

SECONDS = [3, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(300)])]


def deactivate(person: Person) -> None:
    person.change(active=False)


def delete(person: Person) -> None:
    person.delete()


def reset(person: Person) -> None:
    person.change(password="another phrase for now")


def expire(person: Person) -> None:
    end = datetime.now(UTC) + timedelta(seconds=0.5)
    person.change(access_expires_at=end.isoformat())
    eventually(lambda: datetime.now(UTC) > end + LATE_CLOCK)


class Clients:
    """Threads that keep logging in and introspecting the tokens of all threads."""

    def __init__(self, running: Running, person: Person) -> None:
        self._running = running
        self._person = person
        self._over = threading.Event()
        self.tokens: list[str] = []
        self.ended_at = float("inf")
        self.active_before = self.introspected_after = 0
        self.wrongly_active: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with Portal(self._running.deployment.url, self._running.api_key) as portal:
            while not self._over.is_set():
                if time.monotonic() < self.ended_at:
                    self._log_in(portal)
                for _ in range(8):
                    self._introspect(portal)

    def _log_in(self, portal: Portal) -> None:
        response = portal.post("/v1/sessions", json=self._person.login)
        assert response.status_code in {201, 401, 429, 503}, response.text  # 503: too many logins wait for hashing
        if response.status_code == 201:
            self.tokens.append(response.json()["token"])

    def _introspect(self, portal: Portal) -> None:
        if not self.tokens:
            return
        token, sent_at = random.choice(self.tokens), time.monotonic()
        active = portal.introspect(token)["active"]
        if sent_at < self.ended_at:
            self.active_before += active
        else:
            self.introspected_after += 1
            if active:
                self.wrongly_active.append(token)


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("end_access", [deactivate, delete, reset, expire])
def test_no_token_is_active_after_access_ends(
    running: Running, end_access: Callable[[Person], None], seconds: float
) -> None:
    """Access ends while 16 clients log in and introspect."""
    company = running.portal.register()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        person = company.add_with_own_password()
        with Clients(running, person) as clients:
            eventually(lambda: len(clients.tokens) >= ENOUGH_TOKENS)
            end_access(person)
            clients.ended_at = time.monotonic()
            eventually(lambda: clients.introspected_after >= INTROSPECTIONS_AFTERWARDS)
        assert not any(running.portal.introspect(token)["active"] for token in clients.tokens)
        assert clients.active_before > 0
        assert clients.wrongly_active == []
        if end_access is not delete:
            person.delete()
