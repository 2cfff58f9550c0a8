"""Unavailable PostgreSQL: fast errors, atomic commands and recovery."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from adapters.embedded_postgres.ports import free_port
from adapters.postgres.database import Database
from application.errors import StoreUnavailable
from projections.sub_users.queries import SubUserFilter
from tests.builders import Company, event_types
from tests.postgres import LOCK_WAITERS, connect, fetch, terminate_connections
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service

ERROR_DEADLINE = 8.0
"""Seconds within which a caller must get an error."""


def works(service: Service) -> bool:
    try:
        with service.database.get_connection() as connection:
            connection.execute("SELECT 1")
    except StoreUnavailable:
        return False
    return True


def fill_pool(service: Service, connections: int) -> None:
    """Fill the pool with this many connections."""
    all_connected = Barrier(connections)

    def hold() -> None:
        with service.database.get_connection() as connection:
            connection.execute("SELECT 1")
            all_connected.wait(timeout=20)

    with ThreadPoolExecutor(connections) as threads:
        for task in [threads.submit(hold) for _ in range(connections)]:
            task.result()


def test_unreachable_server_is_reported_quickly() -> None:
    database = Database(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", pool_size=4)
    started = time.monotonic()
    try:
        with pytest.raises(StoreUnavailable), database.get_connection():
            pass
    finally:
        database.close()

    assert time.monotonic() - started < ERROR_DEADLINE


def test_service_recovers_from_losing_all_connections(service: Service, database_url: str) -> None:
    """Each lost connection fails at most one request."""
    fill_pool(service, 8)
    company = Company.register(service)
    terminated = terminate_connections(database_url)
    assert terminated >= 8
    started = time.monotonic()

    failures = 0
    while not works(service):
        failures += 1

    assert failures <= terminated
    assert time.monotonic() - started < ERROR_DEADLINE
    assert [works(service) for _ in range(20 + terminated)].count(False) <= terminated - failures
    company.create_sub_user()


def test_command_on_a_lost_connection_is_rolled_back(service: Service, company: Company, database_url: str) -> None:
    """Losing the connection during the append raises `StoreUnavailable` and stores neither events nor writes."""
    before = fetch(database_url, "SELECT count(*) FROM vault")
    with connect(database_url) as blocker, ThreadPoolExecutor(1) as threads, blocker.transaction():
        blocker.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        command = threads.submit(company.create_sub_user)
        ((waiting,),) = eventually(lambda: fetch(database_url, LOCK_WAITERS))
        blocker.execute("SELECT pg_terminate_backend(%s)", [waiting])

        with pytest.raises(StoreUnavailable):
            command.result(timeout=ERROR_DEADLINE)

    assert event_types(company) == ["MainAccountRegistered"]
    assert fetch(database_url, "SELECT count(*) FROM vault") == before
    company.create_sub_user()


def test_waiting_for_a_lock_times_out(company: Company, database_url: str) -> None:
    """The lock timeout is five seconds."""
    with connect(database_url) as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        started = time.monotonic()

        with pytest.raises(StoreUnavailable):
            company.create_sub_user()

        assert time.monotonic() - started < ERROR_DEADLINE
    assert event_types(company) == ["MainAccountRegistered"]


def test_connections_use_utc(service: Service) -> None:
    with service.database.get_connection() as connection:
        row = connection.execute("SELECT current_setting('TimeZone') AS zone").fetchone()

    assert row is not None
    assert row["zone"] == "UTC"


def test_connections_have_a_statement_timeout(service: Service) -> None:
    with service.database.get_connection() as connection:
        row = connection.execute("SELECT current_setting('statement_timeout') AS timeout").fetchone()

    assert row is not None
    assert row["timeout"] == "7s"


@pytest.mark.parametrize("kind", ["command", "lookup", "list"])
def test_each_kind_of_request_reports_an_unavailable_store(
    service: Service, company: Company, database_url: str, kind: str, followers: None
) -> None:
    """Commands, session look-ups and lists raise the error that the API maps to status 503."""
    token = company.create_with_own_password().log_in().token
    requests: dict[str, Callable[[], object]] = {
        "command": company.create_sub_user,
        "lookup": lambda: service.commands.sub_user_sessions.current(token),
        "list": lambda: service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None),
    }
    service.database.close()
    with pytest.raises(StoreUnavailable):
        requests[kind]()


@pytest.mark.long
def test_service_recovers_quickly_after_a_long_outage(service: Service, server_url: str, database_url: str) -> None:
    """After an outage of more than 30 seconds, the pool's reconnect back-off does not delay recovery."""
    name = database_url.rsplit("/", 1)[1]
    fetch(server_url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    terminate_connections(server_url, name)
    outage_ends = time.monotonic() + 35
    while time.monotonic() < outage_ends:
        assert not works(service)
    fetch(server_url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    eventually(lambda: works(service), within=ERROR_DEADLINE)
