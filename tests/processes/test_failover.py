"""Failover under load to a standby that lacks the last events: the service recovers, and reports the loss."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.clusters import Cluster
from tests.postgres import fetch
from tests.processes.deployment import deployed, master_key
from tests.processes.load import Load, people
from tests.processes.portal import NO_AUTHORITIES, Portal
from tests.processes.waiting import eventually
from tests.tcp_forwarder import Forwarder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.processes.deployment import Deployment

GAPS = """
SELECT originator_id FROM stored_events GROUP BY originator_id HAVING max(originator_version) <> count(*)
"""
END = "SELECT coalesce(max(notification_id), 0) FROM stored_events"
REPLAYED = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
CHECKPOINT = "SELECT number, tree_size FROM checkpoints ORDER BY number DESC LIMIT 1"


@dataclass
class Consumer:
    """Consumer of the event stream as described in docs/consuming.md; `copy` has event ids by position."""

    url: str
    api_key: str
    copy: dict[int, str] = field(default_factory=dict)
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
        return max(self.copy, default=0)

    def _read_stream(self, stop: threading.Event) -> None:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        query: dict[str, str | int] = {"after": self.position, **({"epoch": self.epoch} if self.epoch else {})}
        url = f"{self.url}/v1/events/stream"
        with httpx.stream("GET", url, headers=headers, params=query, timeout=20, verify=NO_AUTHORITIES) as response:
            if response.status_code == httpx.codes.CONFLICT:
                self._go_back(json.loads(response.read()))
                return
            if response.status_code != httpx.codes.OK:
                return
            self.epoch = response.headers["Store-Epoch"]
            for line in response.iter_lines():
                if line.startswith("data: "):
                    self._take(json.loads(line.removeprefix("data: ")))
                if stop.is_set():
                    return

    def _take(self, event: dict[str, Any]) -> None:
        if event["position"] <= self.position:
            self.problems.append(f"position {event['position']} after {self.position}")
        if event["epoch"] != self.epoch:
            self.problems.append(f"epoch {event['epoch']} in a stream of {self.epoch}")
        self.copy[event["position"]] = event["id"]

    def _go_back(self, problem: dict[str, Any]) -> None:
        self.conflicts.append(problem)
        self.epoch = problem["epoch"]
        common = problem["common_position"] or 0
        self.copy = {position: id_ for position, id_ in self.copy.items() if position <= common}


@pytest.mark.parametrize(
    ("accounts", "of_each", "seconds"),
    [(4, 2, 1), pytest.param(20, 4, 15, marks=[pytest.mark.long, pytest.mark.timeout(300)])],
)
def test_failover_to_a_standby_that_lacks_the_last_events(
    cluster: Cluster, tmp_path: Path, accounts: int, of_each: int, seconds: float
) -> None:
    """Every account takes commands, streams have no gaps, consumers get an error, and signing waits for acceptance."""
    standby = Cluster(cluster.folder.parent / "standby")
    try:
        standby.restore_backup_of(cluster, as_standby=True)
        standby.start()
        with Forwarder(cluster.port) as forwarder:
            url = forwarder.url(cluster.url)
            with deployed(
                tmp_path, database_url=url, master_key=master_key(), connections_per_client=1000
            ) as deployment:
                fail_over(deployment, cluster, standby, forwarder, accounts, of_each, seconds)
    finally:
        standby.stop()


def fail_over(
    deployment: Deployment,
    primary: Cluster,
    standby: Cluster,
    forwarder: Forwarder,
    accounts: int,
    of_each: int,
    seconds: float,
) -> None:
    programs = deployment.serve("api", "work")
    consumer = Consumer(deployment.url, deployment.api_key("analytics"))
    stop = threading.Event()
    following = threading.Thread(target=consumer.run, args=[stop], daemon=True)
    following.start()
    try:
        with Portal(deployment.url, deployment.api_key()) as portal:
            token = portal.register().add_with_own_password().log_in()
            load = Load(deployment, portal, people(portal, accounts, of_each), token)
            with load.running():
                eventually(lambda: all(writer.results for writer in load.writers))
                time.sleep(seconds)
                (lsn,) = fetch(primary.url, "SELECT pg_current_wal_lsn()::text")[0]
                eventually(lambda: fetch(standby.url, REPLAYED, lsn) == [(True,)])
                pause_replication(primary, standby)
                common = fetch(standby.url, END)[0][0]
                paused_at = time.monotonic()
                eventually(lambda: works_for_all(load, paused_at))
                eventually(lambda: consumer.position > common)
                primary.stop()
                stopped_at = time.monotonic()
                standby.promote()
                forwarder.retarget(standby.port)
                eventually(lambda: works_for_all(load, stopped_at))
                recovered_at = time.monotonic()
                time.sleep(seconds)
            lost = [result.position or 0 for result in load.acknowledged if result.began_at < stopped_at]
            assert max(lost) > common

            results = load.results_since(0)
            assert {result.status for result in results} <= {200, 503}
            assert fetch(standby.url, GAPS) == []
            stored = {position for (position,) in fetch(standby.url, "SELECT notification_id FROM stored_events")}
            assert {result.position for result in load.acknowledged if result.began_at > recovered_at} <= stored

            (end,) = fetch(standby.url, END)[0]
            eventually(lambda: consumer.position == end)
            feed = fetch(standby.url, "SELECT count(*) FROM stored_events")[0][0]
            assert len(consumer.conflicts) >= 1
            assert consumer.conflicts[0]["type"] == "urn:subusers:problem:store-went-back"
            assert consumer.conflicts[0]["common_position"] == common
            assert consumer.problems == []
            assert len(consumer.copy) == feed

            require_no_signature_before_acceptance(deployment, standby)
            assert all(program.process.poll() is None for program in programs)
    finally:
        stop.set()
        following.join()


def require_no_signature_before_acceptance(deployment: Deployment, store: Cluster) -> None:
    (signed,) = fetch(store.url, CHECKPOINT) or [(0, 0)]
    fetch(store.url, "UPDATE checkpoints SET signed_at = now() - interval '1 hour'")
    eventually(lambda: "checkpoint.refused" in deployment.output)
    assert (fetch(store.url, CHECKPOINT) or [(0, 0)])[0][1] == signed[1]
    status = deployment.run("status")
    assert "STORE WENT BACK" in status.output
    ready = httpx.get(f"{deployment.url}/readyz", timeout=30)
    assert any("gone back" in warning for warning in ready.json()["warnings"])
    verified = deployment.run("verify")
    assert re.search(r"went back to position \d+.* not accepted yet", verified.output.replace("\n", " "))

    assert deployment.run("accept-lost-history", "--yes").process.returncode == 0
    eventually(lambda: (fetch(store.url, CHECKPOINT) or [(0, 0)])[0][1] > signed[1])
    assert "STORE WENT BACK" not in deployment.run("status").output
    verified = deployment.run("verify")
    assert verified.process.returncode == 0, verified.output + verified.errors
    assert re.search(r"went back to position \d+.* accepted 20", verified.output.replace("\n", " "))


def pause_replication(primary: Cluster, standby: Cluster) -> None:
    """Stop replication to the standby."""
    fetch(standby.url, "ALTER SYSTEM SET primary_conninfo = ''")
    fetch(standby.url, "SELECT pg_reload_conf()")
    eventually(lambda: fetch(primary.url, "SELECT FROM pg_stat_replication") == [])
    end = fetch(standby.url, END)
    assert end == fetch(standby.url, END)


def works_for_all(load: Load, moment: float) -> bool:
    """Return whether each writer has a successful result of a command sent after `moment`."""
    return all(
        any(result.status == 200 and result.began_at > moment for result in tuple(writer.results))
        for writer in load.writers
    )
