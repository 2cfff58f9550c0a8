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
from tests.processes.load import Client, Load, during, people, slowest
from tests.processes.portal import Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.clusters import Cluster
    from tests.processes.deployment import Deployment, Program

LONGEST_REQUEST = 10.0
"""Seconds: the request deadline of 8, plus waiting for a thread and slack for a busy machine."""

LONGEST_HEALTH = 0.9
LONGEST_READ = 3.0
LONGEST_RECOVERY = 10.0


@dataclass(frozen=True)
class Loaded:
    """A service under load, and its cluster."""

    cluster: Cluster
    deployment: Deployment
    program: Program
    portal: Portal
    load: Load


@contextmanager
def loaded(cluster: Cluster, folder: Path, accounts: int, of_each: int) -> Iterator[Loaded]:
    """Run a service with `of_each` writers on each of `accounts` accounts; yield once every writer has a result."""
    with deployed(folder, database_url=cluster.url, master_key=master_key(), connections_per_client=1000) as deployment:
        program, _ = deployment.serve("api", "work")
        with Portal(deployment.url, deployment.api_key()) as portal:
            token = portal.register().add_with_own_password().log_in()
            load = Load(deployment, portal, people(portal, accounts, of_each), token)
            with load.running():
                eventually(lambda: all(writer.results for writer in load.writers))
                yield Loaded(cluster, deployment, program, portal, load)


def test_service_survives_a_frozen_database(cluster: Cluster, tmp_path: Path) -> None:
    """The database freezes for longer than the request deadline, with several writers to each account."""
    freeze(cluster, tmp_path, accounts=10, of_each=4, seconds=12)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_service_survives_a_database_frozen_for_long(cluster: Cluster, tmp_path: Path) -> None:
    """The database freezes for half a minute, with 180 writers."""
    freeze(cluster, tmp_path, accounts=36, of_each=5, seconds=30)


def freeze(cluster: Cluster, folder: Path, accounts: int, of_each: int, seconds: float) -> None:
    with loaded(cluster, folder, accounts, of_each) as service:
        load, processes = service.load, service.program.children("api")
        with cluster.frozen():
            frozen_at = time.monotonic()
            time.sleep(seconds)
        thawed_at = time.monotonic()
        eventually(lambda: has_recovered(load, thawed_at))
        recovered_at = time.monotonic()
        assert service.program.children("api") == processes
    writes = during(load.results_since(0), frozen_at, recovered_at)
    probes = {
        name: during(client.results, frozen_at, recovered_at)
        for name, client in (("introspect", load.introspection), ("health", load.health), ("ready", load.readiness))
    }
    assert {result.status for result in writes} <= {200, 503}
    assert slowest(writes) < LONGEST_REQUEST
    assert slowest(probes["introspect"]) < LONGEST_REQUEST
    assert slowest(probes["ready"]) < LONGEST_REQUEST
    assert {result.status for result in probes["health"]} == {200}
    assert slowest(probes["health"]) < LONGEST_HEALTH
    assert 503 in {result.status for result in probes["ready"]}
    assert recovered_at - thawed_at < LONGEST_RECOVERY
    assert "child.stuck" not in service.deployment.output
    require_acknowledged(cluster, load)


def test_server_processes_start_without_a_database(cluster: Cluster, tmp_path: Path) -> None:
    """They return 503, and 200 for `/healthz`, until the database is back."""
    with deployed(tmp_path, database_url=cluster.url, master_key=master_key()) as deployment:
        program, _ = deployment.serve("api", "work")
        with Portal(deployment.url, deployment.api_key()) as portal:
            token = portal.register().add_with_own_password().log_in()
            former = program.children("api")
            cluster.stop()
            kill(*former)

            def status(method: str, path: str, body: object = None) -> int:
                with suppress(httpx.TransportError):
                    return portal.request(method, path, json=body).status_code
                return 0

            eventually(lambda: status("GET", "/healthz") == 200)
            refused = portal.call(503, "POST", "/v1/sessions/introspect", {"token": token})
            assert refused.json()["type"] == "urn:subusers:problem:store-unavailable"
            assert refused.headers["Retry-After"] == "1"
            assert status("GET", "/readyz") == 503
            present = program.children("api")
            assert not {*present} & {*former}
            cluster.start()
            eventually(lambda: status("POST", "/v1/sessions/introspect", {"token": token}) == 200)
            assert portal.introspect(token)["active"] is True
            assert program.children("api") == present


def has_recovered(load: Load, moment: float) -> bool:
    """Return whether each writer and probe has a successful result of a request sent after `moment`."""
    clients = [*load.writers, load.introspection, load.readiness]
    return all(
        any(result.status == 200 and result.began_at > moment for result in tuple(client.results)) for client in clients
    )


def require_acknowledged(cluster: Cluster, load: Load) -> None:
    """Require that the event store has every acknowledged command, each at its own position."""
    positions = [result.position for result in load.acknowledged]
    assert len(set(positions)) == len(positions)
    stored = {position for (position,) in fetch(cluster.url, "SELECT notification_id FROM stored_events")}
    assert set(positions) <= stored
    assert fetch(cluster.url, "SELECT count(*) FROM store_lineage") == [(1,)], "nothing was lost"


@pytest.mark.parametrize(
    ("writers", "seconds"), [(4, 9), pytest.param(40, 60, marks=[pytest.mark.long, pytest.mark.timeout(300)])]
)
def test_reads_continue_without_the_synchronous_standby(
    cluster: Cluster, tmp_path: Path, writers: int, seconds: float
) -> None:
    """Commits wait for the standby: commands get 503, while reads and introspection succeed.

    The wait for the standby ends with the request: waiting commits would use up the server's connections.
    """
    with loaded(cluster, tmp_path, accounts=writers, of_each=1) as service:
        load, company = service.load, service.portal.register()
        fetch(cluster.url, "UPDATE sessions SET last_used_at = now() - interval '10 minutes'")
        configure(cluster, synchronous_standby_names="gone")
        lost_at = time.monotonic()
        reads = Client(service.deployment.port, load.introspection.headers)
        with closing(reads):
            while time.monotonic() < lost_at + seconds:
                reads.send("GET", f"{company.path}/sub-users")
                time.sleep(0.1)
        eventually(lambda: not fetch(cluster.url, ABANDONED))
        configure(cluster, synchronous_standby_names="")
        restored_at = time.monotonic()
        eventually(lambda: has_recovered(load, restored_at))
    writes = during(load.results_since(0), lost_at + 1, restored_at)
    introspections = during(load.introspection.results, lost_at + 1, restored_at)
    print(
        f"slowest of {len(reads.results)} reads: {slowest(reads.results):.2f} s, "
        f"of {len(introspections)} introspections: {slowest(introspections):.2f} s, "
        f"of {len(writes)} writes: {slowest(writes):.2f} s"
    )
    assert {result.status for result in writes} <= {200, 503}
    assert 503 in {result.status for result in writes}
    assert slowest(writes) < LONGEST_REQUEST
    assert {result.status for result in introspections} == {200}
    assert slowest(introspections) < LONGEST_READ
    assert {result.status for result in reads.results} == {200}
    assert slowest(reads.results) < LONGEST_READ
    require_acknowledged(cluster, load)


ABANDONED = """
SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND state_change < now() - interval '8.5 seconds'
"""
"""Backends that wait for the standby longer than any request lasts."""


def configure(cluster: Cluster, **settings: str) -> None:
    for name, value in settings.items():
        with connect(cluster.url) as connection:
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
            connection.execute("SELECT pg_reload_conf()")
