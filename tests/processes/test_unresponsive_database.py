"""An unresponsive database: requests meet their deadlines, no process is replaced, and the service recovers."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
from psycopg import sql

from tests.postgres import connect, fetch
from tests.processes.deployment import deployed, kill, master_key
from tests.processes.load import Client, Load, create_sub_users, in_flight_between, max_seconds
from tests.processes.portal import Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.clusters import Cluster
    from tests.processes.deployment import Deployment, Program
    from tests.processes.load import Result

MAX_REQUEST_SECONDS = 10.0
"""The request deadline of 8 seconds, plus waiting for a thread and slack for a busy machine."""

MAX_HEALTH_SECONDS = 0.9
MAX_READ_SECONDS = 3.0
MAX_RECOVERY_SECONDS = 10.0


@dataclass(frozen=True)
class ServiceUnderLoad:
    """A service to which writers and probes send requests."""

    deployment: Deployment
    program: Program
    portal: Portal
    load: Load


@contextmanager
def service_under_load(
    cluster: Cluster, folder: Path, accounts: int, writers_per_account: int
) -> Iterator[ServiceUnderLoad]:
    """Run a service on a cluster under load for the duration of the block; yield once every writer has a result."""
    with deployed(folder, database_url=cluster.url, master_key=master_key(), connections_per_client=1000) as deployment:
        program, _ = deployment.serve("api", "work")
        with Portal(deployment.url, deployment.api_key()) as portal:
            token = portal.register().add_with_own_password().log_in()
            load = Load(deployment, portal, create_sub_users(portal, accounts, writers_per_account), token)
            with load.running():
                eventually(lambda: all(writer.results for writer in load.writers))
                yield ServiceUnderLoad(deployment, program, portal, load)


@pytest.mark.parametrize(
    ("accounts", "writers_per_account", "seconds"),
    [(10, 4, 12), pytest.param(36, 5, 30, marks=[pytest.mark.long, pytest.mark.timeout(300)])],
)
def test_service_survives_a_frozen_database(
    cluster: Cluster, tmp_path: Path, accounts: int, writers_per_account: int, seconds: float
) -> None:
    """The database freezes for longer than the request deadline, with several writers to each account."""
    with service_under_load(cluster, tmp_path, accounts, writers_per_account) as service:
        load, processes = service.load, service.program.children("api")
        with cluster.frozen():
            frozen_at = time.monotonic()
            time.sleep(seconds)
        thawed_at = time.monotonic()
        eventually(lambda: has_recovered(load, thawed_at))
        recovered_at = time.monotonic()
        assert service.program.children("api") == processes
    writes, introspections, health_checks, readiness_checks = (
        in_flight_between(results, frozen_at, recovered_at)
        for results in (
            load.results_since(0),
            load.introspection.results,
            load.health.results,
            load.readiness.results,
        )
    )
    for name, results in {"writes": writes, "introspections": introspections, "readiness": readiness_checks}.items():
        assert statuses(results) == {200, 503}, (name, results)
        assert max_seconds(results) < MAX_REQUEST_SECONDS, name
    assert statuses(health_checks) == {200}
    assert max_seconds(health_checks) < MAX_HEALTH_SECONDS
    assert recovered_at - thawed_at < MAX_RECOVERY_SECONDS
    assert "child.stuck" not in service.deployment.output
    require_acknowledged_events(cluster, load)


def statuses(results: Sequence[Result]) -> set[int]:
    return {result.status for result in results}


def test_server_processes_start_without_a_database(cluster: Cluster, tmp_path: Path) -> None:
    """Until the database is back, requests get 503, except for `/healthz`, which gets 200."""
    with deployed(tmp_path, database_url=cluster.url, master_key=master_key()) as deployment:
        program, _ = deployment.serve("api", "work")
        with Portal(deployment.url, deployment.api_key()) as portal:
            token = portal.register().add_with_own_password().log_in()
            killed = program.children("api")
            cluster.stop()
            kill(*killed)

            def status(method: str, path: str, body: object = None) -> int:
                with suppress(httpx.TransportError):
                    return portal.request(method, path, json=body).status_code
                return 0

            eventually(lambda: status("GET", "/healthz") == 200)
            refused = portal.call(503, "POST", "/v1/sessions/introspect", {"token": token})
            assert refused.json()["type"] == "urn:subusers:problem:store-unavailable"
            assert refused.headers["Retry-After"] == "1"
            assert status("GET", "/readyz") == 503
            restarted = program.children("api")
            assert not {*restarted} & {*killed}
            cluster.start()
            eventually(lambda: status("POST", "/v1/sessions/introspect", {"token": token}) == 200)
            assert portal.introspect(token)["active"] is True
            assert program.children("api") == restarted


def has_recovered(load: Load, moment: float) -> bool:
    """Return whether each writer and probe has a successful result of a request sent after `moment`."""
    clients = [*load.writers, load.introspection, load.readiness]
    return all(
        any(result.status == 200 and result.began_at > moment for result in tuple(client.results)) for client in clients
    )


def require_acknowledged_events(cluster: Cluster, load: Load) -> None:
    """Require that the event store has every acknowledged event, each at its own position, and has lost none."""
    positions = [result.position for result in load.acknowledged_results]
    assert len(set(positions)) == len(positions)
    stored = {position for (position,) in fetch(cluster.url, "SELECT notification_id FROM stored_events")}
    assert set(positions) <= stored
    assert fetch(cluster.url, "SELECT count(*) FROM store_lineage") == [(1,)], "history was lost"


@pytest.mark.parametrize(
    ("writers", "seconds"), [(4, 9), pytest.param(40, 60, marks=[pytest.mark.long, pytest.mark.timeout(300)])]
)
def test_reads_continue_without_the_synchronous_standby(
    cluster: Cluster, tmp_path: Path, writers: int, seconds: float
) -> None:
    """Commits wait for the standby: commands get 503, while reads and introspection succeed.

    The wait for the standby ends with the request: waiting commits would use up the server's connections.
    """
    with service_under_load(cluster, tmp_path, accounts=writers, writers_per_account=1) as service:
        load, company = service.load, service.portal.register()
        # The next introspection records that the session was used, and must not wait for that commit.
        fetch(cluster.url, "UPDATE sessions SET last_used_at = now() - interval '10 minutes'")
        configure(cluster, synchronous_standby_names="gone")
        lost_at = time.monotonic()
        reads = Client(service.deployment.port, load.introspection.headers)
        with closing(reads):
            while time.monotonic() < lost_at + seconds:
                reads.send("GET", f"{company.path}/sub-users")
                time.sleep(0.1)
        eventually(lambda: not fetch(cluster.url, LEFTOVER_COMMITS))
        configure(cluster, synchronous_standby_names="")
        restored_at = time.monotonic()
        eventually(lambda: has_recovered(load, restored_at))
    writes = in_flight_between(load.results_since(0), lost_at + 1, restored_at)
    introspections = in_flight_between(load.introspection.results, lost_at + 1, restored_at)
    print(
        f"slowest of {len(reads.results)} reads: {max_seconds(reads.results):.2f} s, "
        f"of {len(introspections)} introspections: {max_seconds(introspections):.2f} s, "
        f"of {len(writes)} writes: {max_seconds(writes):.2f} s"
    )
    assert statuses(writes) <= {200, 503}
    assert 503 in statuses(writes)
    assert max_seconds(writes) < MAX_REQUEST_SECONDS
    assert statuses(introspections) == {200}
    assert max_seconds(introspections) < MAX_READ_SECONDS
    assert statuses(reads.results) == {200}
    assert max_seconds(reads.results) < MAX_READ_SECONDS
    require_acknowledged_events(cluster, load)


LEFTOVER_COMMITS = """
SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND state_change < now() - interval '8.5 seconds'
"""
"""Backends that still wait for the standby although their request, with its deadline of 8 seconds, has ended."""


def configure(cluster: Cluster, **settings: str) -> None:
    for name, value in settings.items():
        with connect(cluster.url) as connection:
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
            connection.execute("SELECT pg_reload_conf()")
