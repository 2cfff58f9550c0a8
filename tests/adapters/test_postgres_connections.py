"""What happens when Postgres cannot be had: an answer soon, nothing half done, and everything well again after."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from adapters.embedded_postgres.ports import free_port
from adapters.postgres.database import Database
from application.errors import StoreUnavailable
from projections.sub_user_queries import SubUserFilter
from tests.people import Company, kinds
from tests.postgres import WAITING_FOR_A_LOCK, ask, connect, cut_off
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service

SOON = 8.0
"""Seconds within which a caller is told."""


def works(service: Service) -> bool:
    try:
        with service.database.get_connection() as connection:
            connection.execute("SELECT 1")
    except StoreUnavailable:
        return False
    return True


def warm_up(service: Service, connections: int) -> None:
    """Have the pool hold so many connections."""
    all_there = Barrier(connections)

    def hold() -> None:
        with service.database.get_connection() as connection:
            connection.execute("SELECT 1")
            all_there.wait(timeout=20)

    with ThreadPoolExecutor(connections) as threads:
        for held in [threads.submit(hold) for _ in range(connections)]:
            held.result()


def test_a_server_that_is_not_there_is_reported_soon() -> None:
    """A caller is not kept waiting for a server that nothing answers for."""
    database = Database(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", pool_size=4)
    began = time.monotonic()
    try:
        with pytest.raises(StoreUnavailable), database.get_connection():
            pass
    finally:
        database.close()

    assert time.monotonic() - began < SOON


def test_a_service_recovers_from_losing_every_connection(service: Service, database_url: str) -> None:
    """Each lost connection fails one request at most; after that everything is as it was."""
    warm_up(service, 8)
    company = Company.register(service)
    cut = cut_off(database_url)
    assert cut >= 8
    began = time.monotonic()

    failures = 0
    while not works(service):
        failures += 1

    assert failures <= cut
    assert time.monotonic() - began < SOON
    assert [works(service) for _ in range(20 + cut)].count(False) <= cut - failures
    company.let_in()


def test_a_command_cut_off_in_the_middle_has_done_nothing(
    service: Service, company: Company, database_url: str
) -> None:
    """A connection lost while the events are being written is told as such, and leaves neither events nor records."""
    before = ask(database_url, "SELECT count(*) FROM vault")
    with connect(database_url) as rival, ThreadPoolExecutor(1) as threads, rival.transaction():
        rival.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        command = threads.submit(company.let_in)
        ((waiting,),) = eventually(lambda: ask(database_url, WAITING_FOR_A_LOCK))
        rival.execute("SELECT pg_terminate_backend(%s)", [waiting])

        with pytest.raises(StoreUnavailable):
            command.result(timeout=SOON)

    assert kinds(company) == ["MainAccountRegistered"]
    assert ask(database_url, "SELECT count(*) FROM vault") == before
    company.let_in()


def test_a_lock_that_is_never_given_up_is_not_waited_for(company: Company, database_url: str) -> None:
    """A writer that gets no turn for five seconds is told to come again."""
    with connect(database_url) as rival, rival.transaction():
        rival.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        began = time.monotonic()

        with pytest.raises(StoreUnavailable):
            company.let_in()

        assert time.monotonic() - began < SOON
    assert kinds(company) == ["MainAccountRegistered"]


def test_connections_leave_the_time_zone_to_nobody(service: Service) -> None:
    """Whatever a server is set to, times are written and read in UTC."""
    with service.database.get_connection() as connection:
        row = connection.execute("SELECT current_setting('TimeZone') AS zone").fetchone()

    assert row is not None
    assert row["zone"] == "UTC"


def test_a_statement_cannot_run_for_ever(service: Service) -> None:
    """Every connection has a limit on how long a statement takes."""
    with service.database.get_connection() as connection:
        row = connection.execute("SELECT current_setting('statement_timeout') AS longest").fetchone()

    assert row is not None
    assert row["longest"] == "15s"


@pytest.mark.parametrize("command", ["command", "lookup", "list"])
def test_every_kind_of_request_says_that_the_store_is_unavailable(
    service: Service, company: Company, database_url: str, command: str, followers: None
) -> None:
    """Commands, session look-ups and lists all raise the one error that a door answers 503 for."""
    token = company.let_in_settled().log_in().token
    requests: dict[str, Callable[[], object]] = {
        "command": company.let_in,
        "lookup": lambda: service.sessions.current(token),
        "list": lambda: service.sub_user_queries.list(company.account_id, SubUserFilter(), 10, None),
    }
    service.database.close()
    with pytest.raises(StoreUnavailable):
        requests[command]()


@pytest.mark.long
def test_a_service_recovers_soon_after_a_long_outage(service: Service, server_url: str, database_url: str) -> None:
    """After more than half a minute without a server it takes no half minute more to notice that it is back."""
    name = database_url.rsplit("/", 1)[1]
    ask(server_url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    with suppress(Exception):
        cut_off(server_url, name)
    outage_ends = time.monotonic() + 35
    while time.monotonic() < outage_ends:
        assert not works(service)
    ask(server_url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    eventually(lambda: works(service), within=SOON)
