"""Immediate revocation: once the command that ends access has returned, no process accepts an old token."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

import pytest

from tests.processes.portal import Portal, SubUserHandle
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.conftest import RunningService

CLIENTS = 16
MIN_TOKENS = 24
INTROSPECTIONS_AFTERWARDS = 200
"""Introspections after the end of access that each round waits for."""

MAX_CLOCK_LAG = timedelta(seconds=0.5)
"""How far a process may be behind the database's clock: the time that reading it takes on a busy machine."""

SECONDS = [3, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(300)])]


def deactivate(sub_user: SubUserHandle) -> None:
    sub_user.change(status="inactive")


def delete(sub_user: SubUserHandle) -> None:
    sub_user.delete()


def reset(sub_user: SubUserHandle) -> None:
    sub_user.change(password="another phrase for now")


def change_email(sub_user: SubUserHandle) -> None:
    sub_user.change(email=f"corrected-{sub_user.email}")


def expire(sub_user: SubUserHandle) -> None:
    end = datetime.now(UTC) + timedelta(seconds=0.5)
    sub_user.change(access_expires_at=end.isoformat())
    eventually(lambda: datetime.now(UTC) > end + MAX_CLOCK_LAG)


class Clients:
    """Threads that keep logging in and introspecting the tokens of all threads."""

    def __init__(self, running_service: RunningService, sub_user: SubUserHandle) -> None:
        self._service = running_service
        self._sub_user = sub_user
        self._stop = threading.Event()
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
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with Portal(self._service.deployment.url, self._service.api_key) as portal:
            while not self._stop.is_set():
                if time.monotonic() < self.ended_at:
                    self._log_in(portal)
                for _ in range(8):
                    self._introspect(portal)

    def _log_in(self, portal: Portal) -> None:
        response = portal.post("/v1/sessions", json=self._sub_user.login_body)
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
@pytest.mark.parametrize("end_access", [deactivate, delete, reset, change_email, expire])
def test_no_token_is_active_after_access_ends(
    running_service: RunningService, end_access: Callable[[SubUserHandle], None], seconds: float
) -> None:
    """Access ends while 16 clients log in and introspect."""
    company = running_service.portal.register()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        sub_user = company.add_with_own_password()
        with Clients(running_service, sub_user) as clients:
            eventually(lambda: len(clients.tokens) >= MIN_TOKENS)
            end_access(sub_user)
            clients.ended_at = time.monotonic()
            eventually(lambda: clients.introspected_after >= INTROSPECTIONS_AFTERWARDS)
        assert not any(running_service.portal.introspect(token)["active"] for token in clients.tokens)
        assert clients.active_before > 0
        assert clients.wrongly_active == []
        if end_access is not delete:
            sub_user.delete()
