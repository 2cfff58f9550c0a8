"""Failover under load to a standby that lacks the last events: the service recovers, and reports the loss."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.clusters import Cluster
from tests.jobs import running_jobs
from tests.postgres import fetch
from tests.processes.deployment import deployed, master_key
from tests.processes.load import Load, create_sub_users
from tests.processes.portal import NO_AUTHORITIES, Portal
from tests.processes.waiting import eventually
from tests.tcp_forwarder import Forwarder

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from tests.processes.deployment import Deployment

STREAMS_WITH_GAPS = """
SELECT originator_id FROM stored_events GROUP BY originator_id HAVING max(originator_version) <> count(*)
"""
IS_REPLAYED = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
NEWEST_CHECKPOINT = "SELECT number, tree_size FROM checkpoints ORDER BY number DESC LIMIT 1"


@dataclass
class Consumer:
    """Consumer of the event stream as described in docs/consuming.md. `ids_by_position` is its copy."""

    url: str
    api_key: str
    ids_by_position: dict[int, str] = field(default_factory=dict)
    epoch: str = ""
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Follow until stopped, reconnecting after any error."""
        while not stop.is_set():
            with suppress(httpx.HTTPError):
                self._read_stream(stop)
            stop.wait(0.2)

    @property
    def position(self) -> int:
        """The last position received, 0 if none."""
        return max(self.ids_by_position, default=0)

    def _read_stream(self, stop: threading.Event) -> None:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        query: dict[str, str | int] = {"after": self.position, **({"epoch": self.epoch} if self.epoch else {})}
        url = f"{self.url}/v1/events/stream"
        with httpx.stream("GET", url, headers=headers, params=query, timeout=20, verify=NO_AUTHORITIES) as response:
            if response.status_code == httpx.codes.CONFLICT:
                self._discard_lost_events(json.loads(response.read()))
                return
            if response.status_code != httpx.codes.OK:
                return
            self.epoch = response.headers["Store-Epoch"]
            for line in response.iter_lines():
                if line.startswith("data: "):
                    self._store(json.loads(line.removeprefix("data: ")))
                if stop.is_set():
                    return

    def _store(self, event: dict[str, Any]) -> None:
        if event["position"] <= self.position:
            self.problems.append(f"position {event['position']} after {self.position}")
        if event["epoch"] != self.epoch:
            self.problems.append(f"epoch {event['epoch']} in a stream of {self.epoch}")
        self.ids_by_position[event["position"]] = event["id"]

    def _discard_lost_events(self, problem: dict[str, Any]) -> None:
        self.conflicts.append(problem)
        self.epoch = problem["epoch"]
        common = problem["common_position"] or 0
        self.ids_by_position = {position: id_ for position, id_ in self.ids_by_position.items() if position <= common}


@pytest.fixture
def standby(cluster: Cluster) -> Iterator[Cluster]:
    """Run a standby that replicates the cluster."""
    standby = Cluster(cluster.folder.parent / "standby")
    try:
        standby.restore_backup_of(cluster, as_standby=True)
        standby.start()
        yield standby
    finally:
        standby.stop()


@pytest.fixture
def forwarder(cluster: Cluster) -> Iterator[Forwarder]:
    """Run a forwarder to the cluster."""
    with Forwarder(cluster.port) as forwarder:
        yield forwarder


@pytest.fixture
def deployment(cluster: Cluster, forwarder: Forwarder, tmp_path: Path) -> Iterator[Deployment]:
    """Return a deployment whose database connections lead through the forwarder."""
    url = forwarder.url(cluster.url)
    with deployed(tmp_path, database_url=url, master_key=master_key(), connections_per_client=1000) as deployment:
        yield deployment


@pytest.mark.parametrize(
    ("accounts", "per_account", "seconds"),
    [(4, 2, 1), pytest.param(20, 4, 15, marks=[pytest.mark.long, pytest.mark.timeout(300)])],
)
def test_failover_to_a_standby_that_lacks_the_last_events(
    cluster: Cluster,
    standby: Cluster,
    forwarder: Forwarder,
    deployment: Deployment,
    tmp_path: Path,
    accounts: int,
    per_account: int,
    seconds: float,
) -> None:
    """Every account takes commands, streams have no gaps, consumers get an error, and signing waits for acceptance."""
    programs = deployment.serve("api", "work")
    consumer = Consumer(deployment.url, deployment.api_key("analytics"))
    with running_jobs(consumer.run), Portal(deployment.url, deployment.api_key()) as portal:
        token = portal.register().add_with_own_password().log_in()
        load = Load(deployment, portal, create_sub_users(portal, accounts, per_account), token)
        with load.running():
            eventually(lambda: all(writer.results for writer in load.writers))
            time.sleep(seconds)
            stop_replication(cluster, standby)
            common_position = last_position(standby)
            detached_at = time.monotonic()
            eventually(lambda: every_writer_succeeds_after(load, detached_at))
            eventually(lambda: consumer.position > common_position)
            lost_checkpoint = sign_lost_checkpoint(cluster, common_position)
            cluster.stop()
            stopped_at = time.monotonic()
            standby.promote()
            forwarder.retarget(standby.port)
            eventually(lambda: every_writer_succeeds_after(load, stopped_at))
            recovered_at = time.monotonic()
            time.sleep(seconds)
        require_complete_history(standby, load, recovered_at)
        lost = [result.position or 0 for result in load.acknowledged_results if result.began_at < stopped_at]
        assert max(lost) > common_position

        eventually(lambda: consumer.position == last_position(standby))
        assert consumer.conflicts[0]["type"] == "urn:subusers:problem:store-went-back"
        assert consumer.conflicts[0]["common_position"] == common_position
        assert consumer.problems == []
        assert sorted(consumer.ids_by_position) == stored_positions(standby)

        require_no_signature_before_acceptance(deployment, standby)
        kept = tmp_path / "kept"
        kept.write_text(lost_checkpoint)
        verified = deployment.run("verify", "--checkpoint", str(kept))
        assert verified.process.returncode == 2, verified.output + verified.errors
        assert "kept has events that this store does not have" in verified.output
        assert all(program.process.poll() is None for program in programs)


def sign_lost_checkpoint(primary: Cluster, common_position: int) -> str:
    """Let the service sign a checkpoint of events that the standby lacks, and return it."""
    fetch(primary.url, "UPDATE checkpoints SET signed_at = now() - interval '1 hour'")
    statement = "SELECT note FROM checkpoints WHERE position > %s ORDER BY number DESC LIMIT 1"
    ((note,),) = eventually(lambda: fetch(primary.url, statement, common_position))
    return str(note)


def require_complete_history(store: Cluster, load: Load, recovered_at: float) -> None:
    """Require that streams have no gaps and contain every command acknowledged since the recovery."""
    assert {result.status for result in load.results_since(0)} <= {200, 503}
    assert fetch(store.url, STREAMS_WITH_GAPS) == []
    positions = {result.position for result in load.acknowledged_results if result.began_at > recovered_at}
    assert positions
    assert positions <= {*stored_positions(store)}


def stored_positions(store: Cluster) -> list[int]:
    return [position for (position,) in fetch(store.url, "SELECT notification_id FROM stored_events ORDER BY 1")]


def last_position(store: Cluster) -> int:
    return max(stored_positions(store), default=0)


def require_no_signature_before_acceptance(deployment: Deployment, store: Cluster) -> None:
    """Require that checkpoints are signed only after `accept-lost-history`, and that every report says so."""
    (signed,) = fetch(store.url, NEWEST_CHECKPOINT) or [(0, 0)]
    fetch(store.url, "UPDATE checkpoints SET signed_at = now() - interval '1 hour'")
    eventually(lambda: "checkpoint.refused" in deployment.output)
    assert (fetch(store.url, NEWEST_CHECKPOINT) or [(0, 0)])[0][1] == signed[1]
    status = deployment.run("status")
    assert "STORE WENT BACK" in status.output
    ready = httpx.get(f"{deployment.url}/readyz", timeout=30)
    assert any("gone back" in warning for warning in ready.json()["warnings"])
    verified = deployment.run("verify")
    assert re.search(r"went back to position \d+.* not accepted yet", verified.output.replace("\n", " "))

    assert deployment.run("accept-lost-history", "--yes").process.returncode == 0
    eventually(lambda: (fetch(store.url, NEWEST_CHECKPOINT) or [(0, 0)])[0][1] > signed[1])
    assert "STORE WENT BACK" not in deployment.run("status").output
    verified = deployment.run("verify")
    assert verified.process.returncode == 0, verified.output + verified.errors
    assert re.search(r"went back to position \d+.* accepted 20", verified.output.replace("\n", " "))


def stop_replication(primary: Cluster, standby: Cluster) -> None:
    """Let the standby replay what the primary has written so far, and then stop replication to it."""
    ((lsn,),) = fetch(primary.url, "SELECT pg_current_wal_lsn()::text")
    eventually(lambda: fetch(standby.url, IS_REPLAYED, lsn) == [(True,)])
    fetch(standby.url, "ALTER SYSTEM SET primary_conninfo = ''")
    fetch(standby.url, "SELECT pg_reload_conf()")
    eventually(lambda: fetch(primary.url, "SELECT FROM pg_stat_replication") == [])


def every_writer_succeeds_after(load: Load, moment: float) -> bool:
    """Return whether each writer has sent a successful command after `moment`."""
    return all(
        any(result.status == 200 and result.began_at > moment for result in tuple(writer.results))
        for writer in load.writers
    )
