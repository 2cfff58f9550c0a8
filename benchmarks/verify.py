"""Does `subusers verify` check a million events within 15 seconds, in constant memory? Exits 1 if not.

Run `.venv/bin/python -m benchmarks.verify`. It creates its own database in a temporary folder. The history is added to
the Merkle tree and signed, as `subusers work` does; then `subusers verify` runs against a checkpoint in a file, as an
auditor runs it. The time is that of the whole command, including the start of Python.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from adapters.postgres.signals import CHANNEL
from api.bootstrap import composition_root, connections
from benchmarks.history import write_history
from benchmarks.servers import temporary_database
from projections.runtime.projection_follower import ProjectionFollower
from projections.transparency.merkle_tree import MerkleLeafProjection

if TYPE_CHECKING:
    from api.bootstrap.config import Settings

BAR = 15.0
"""Seconds per million events."""

MAX_MEMORY_MB = 200.0
"""Peak memory of the command, for any number of events. Python and its libraries take half of it."""


@dataclass(frozen=True)
class Run:
    """One run of `subusers verify`: duration, and peak memory in MB."""

    seconds: float
    megabytes: float


def build_tree(settings: Settings, events: int) -> float:
    """Add the history to the Merkle tree and sign it; return the events per second, without the signing."""
    service = composition_root.build(settings)
    url = settings.owner_url
    follower = ProjectionFollower(MerkleLeafProjection(), lambda: connections.connect_to_follow(url), CHANNEL)
    with connections.connect_to_follow(url) as connection, Progress() as bar:
        task = bar.add_task("the tree", total=events)
        connection.execute("INSERT INTO followers (name) VALUES (%s)", [follower.view.name])
        started_at = time.perf_counter()
        while applied := follower.step(connection):
            bar.advance(task, applied)
        seconds = time.perf_counter() - started_at
        while service.workers.checkpointer.sign_due():
            pass
        service.workers.checkpointer.sign_now()
    with connections.connect(settings.owner_url, "benchmark") as connection:
        connection.execute("VACUUM ANALYZE merkle_leaves")
    newest = service.queries.checkpoints.newest()
    (settings.data_dir / "checkpoint").write_text(newest.note if newest is not None else "")
    service.close()
    return events / seconds


def verify(settings: Settings) -> Run:
    """Run the command once."""
    environment = {"SUBUSERS_DATA_DIR": str(settings.data_dir)}
    command = [sys.executable, "-m", "api.cli", "verify", "--checkpoint", str(settings.data_dir / "checkpoint")]
    started_at = time.perf_counter()
    with subprocess.Popen(command, env=os.environ | environment) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started_at
    if process.returncode != 0:
        sys.exit("the store did not verify")
    return Run(seconds, usage.ru_maxrss / 1024)


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    with temporary_database() as settings:
        write_history(settings.database_url or "", args.events)
        rate = build_tree(settings, args.events)
        runs = [verify(settings) for _ in range(args.runs)]
    table = Table(
        "events", "tree: events/s", f"verify: seconds (bar {BAR:.0f} a million)", f"MB (bar {MAX_MEMORY_MB:.0f})"
    )
    for run in runs:
        table.add_row(f"{args.events:,}", f"{rate:,.0f}", f"{run.seconds:.1f}", f"{run.megabytes:.0f}")
    Console().print(table)
    slowest = max(run.seconds for run in runs)
    return int(slowest > BAR * args.events / 1_000_000 or max(run.megabytes for run in runs) > MAX_MEMORY_MB)


if __name__ == "__main__":
    sys.exit(main())
