"""Requests that wait in the database delay only requests of their own lane."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.postgres import LOCK_WAITERS, connect, fetch
from tests.processes.portal import Company, Portal, SubUserHandle
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from tests.processes.deployment import Deployment

THREADS = 8
"""Threads for reads and writes together: half for each."""

BLOCKED_REQUESTS = THREADS
MAX_SECONDS = 2.0
"""For a request that is not blocked. Blocked ones wait for a lock for 5 seconds."""


@dataclass(frozen=True)
class Service:
    """A service with one server process, an account whose requests get blocked, and a sub-user of another account."""

    deployment: Deployment
    database_url: str
    api_key: str
    portal: Portal
    blocked_account: Company
    sub_user: SubUserHandle
    token: str

    def send(self, method: str, path: str, body: Any = None, api_key: str = "", timeout: float = 30) -> httpx.Response:
        """Send a request over its own connection."""
        with Portal(self.deployment.url, api_key or self.api_key) as portal:
            return portal.request(method, path, json=body, timeout=timeout)

    @contextmanager
    def locked(self, statement: str, *parameters: object) -> Iterator[None]:
        """Hold the locks that a statement takes for the duration of the block."""
        with connect(self.database_url) as connection, connection.transaction():
            connection.execute(statement.encode(), parameters or None)
            yield

    def require_lane_is_full(self, method: str, path: str, body: Any = None) -> None:
        """Require that a request gets no response although nothing has locked its own data."""
        with pytest.raises(httpx.ReadTimeout):
            self.send(method, path, body, timeout=1)

    def require_fast(self, status: int, method: str, path: str, body: Any = None) -> None:
        began = time.monotonic()
        assert self.send(method, path, body).status_code == status, (method, path)
        assert time.monotonic() - began < MAX_SECONDS, (method, path)

    def require_fast_sign_in_and_introspection(self) -> None:
        self.require_fast(201, "POST", "/v1/sessions", self.sub_user.login_body)
        self.require_fast(200, "POST", "/v1/sessions/introspect", {"token": self.token})


@pytest.fixture
def service(deploy: Callable[..., Deployment], database_url: str) -> Iterator[Service]:
    deployment = deploy(server_processes="1", threads=str(THREADS))
    deployment.serve("api", "work")
    api_key = deployment.api_key()
    with Portal(deployment.url, api_key) as portal:
        blocked = portal.register()
        company = portal.register()
        sub_user = company.add_with_own_password()
        eventually(company.sub_users)
        yield Service(deployment, database_url, api_key, portal, blocked, sub_user, sub_user.log_in())


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(BLOCKED_REQUESTS) as threads:
        yield threads


def statuses(responses: list[Future[httpx.Response]]) -> set[int]:
    return {response.result().status_code for response in responses}


def test_blocked_writes_delay_no_reads_and_sign_ins(service: Service, threads: ThreadPoolExecutor) -> None:
    """They do not even delay the introspection of a session that a blocked write has locked."""
    blocked = service.blocked_account.add_with_own_password()
    blocked_token = blocked.log_in()
    fetch(service.database_url, "UPDATE sessions SET last_used_at = now() - interval '10 minutes'")
    with service.locked("SELECT FROM sessions WHERE person_id = %s FOR UPDATE", blocked.sub_user_id):
        writes = [
            threads.submit(service.send, "PATCH", blocked.path, {"status": "inactive"}) for _ in range(BLOCKED_REQUESTS)
        ]
        eventually(lambda: fetch(service.database_url, LOCK_WAITERS))
        service.require_lane_is_full("PATCH", service.sub_user.path, {"name": "Ada"})
        service.require_fast(200, "GET", f"{service.sub_user.company.path}/sub-users")
        service.require_fast(200, "GET", f"{service.blocked_account.path}/sub-users")
        service.require_fast(200, "GET", "/login")
        service.require_fast(200, "GET", "/readyz")
        service.require_fast(200, "POST", "/v1/sessions/introspect", {"token": blocked_token})
        service.require_fast_sign_in_and_introspection()
        assert fetch(service.database_url, LOCK_WAITERS)
    assert statuses(writes) <= {200, 503}


def test_blocked_reads_delay_no_writes_and_sign_ins(service: Service, threads: ThreadPoolExecutor) -> None:
    path = f"{service.sub_user.company.path}/sub-users"
    with service.locked("LOCK TABLE sub_user_view IN ACCESS EXCLUSIVE MODE"):
        reads = [threads.submit(service.send, "GET", path) for _ in range(BLOCKED_REQUESTS)]
        eventually(lambda: len(fetch(service.database_url, LOCK_WAITERS)) >= THREADS // 2)
        service.require_lane_is_full("GET", "/login")
        service.require_fast(200, "PATCH", service.sub_user.path, {"name": "Ada"})
        service.require_fast_sign_in_and_introspection()
    assert statuses(reads) <= {200, 503}


SIGNING_LOCK = "SELECT pg_advisory_xact_lock(723984)"
"""Takes the lock that serializes the signing of checkpoints (projections/transparency/sql/checkpoints.sql)."""


@pytest.mark.parametrize(
    ("resource", "lock"),
    [("history", "LOCK TABLE stored_events IN SHARE MODE"), ("export", SIGNING_LOCK)],
    ids=["records-of-accesses", "signatures-of-checkpoints"],
)
def test_reads_that_commit_delay_no_other_reads(
    service: Service, threads: ThreadPoolExecutor, resource: str, lock: str
) -> None:
    """A quarter of the threads for reads may wait for the commit that an auditor's read needs."""
    auditor_key = service.deployment.api_key("auditor")
    with service.locked(lock):
        path = f"{service.blocked_account.path}/{resource}"
        recorded_reads = [
            threads.submit(service.send, "GET", path, api_key=auditor_key) for _ in range(BLOCKED_REQUESTS)
        ]
        eventually(lambda: sum(read.done() for read in recorded_reads) == BLOCKED_REQUESTS - 1)
        service.require_fast(200, "GET", f"{service.sub_user.company.path}/sub-users")
        service.require_fast(200, "GET", "/login")
        refused = [read.result() for read in recorded_reads if read.done()]
    assert {response.json()["type"] for response in refused} == {"urn:subusers:problem:too-busy"}
    assert all(response.status_code == 503 and "Retry-After" in response.headers for response in refused)
    assert statuses(recorded_reads) == {200, 503}
