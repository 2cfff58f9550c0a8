"""Does a million events verify in 15 seconds, in flat memory? Exits 1 if not.

Run it with `.venv/bin/python -m benchmarks.verify`: it brings a database of its own, in a folder that it removes. The
history is followed by the Merkle tree and signed, as `subusers work` does it; then `subusers verify` runs as an auditor
would run it, against a checkpoint in a file. The time is that of the whole command, Python's start included.
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
from api import bootstrap
from benchmarks.history import write_history
from benchmarks.long_history import ready_settings
from projections.follower import Follower
from projections.merkle_tree import MerkleLeaves

if TYPE_CHECKING:
    from api.config import Settings

BAR = 15.0
"""Seconds for a million events."""

MOST_MEMORY = 200.0
"""MB that the command may take at its peak, however many events there are: Python and its libraries take half of it."""


@dataclass(frozen=True)
class Run:
    """One run of `subusers verify`: seconds, and MB at its peak."""

    seconds: float
    megabytes: float


def follow(settings: Settings, events: int) -> float:
    """Have the tree take in the history, sign checkpoints of it, and return how many events a second that were."""
    service = bootstrap.build(settings)
    url = settings.owner_url
    follower = Follower(MerkleLeaves(), lambda: bootstrap.connect_to_follow(url), CHANNEL)
    with bootstrap.connect_to_follow(url) as connection, Progress() as bar:
        task = bar.add_task("the tree", total=events)
        connection.execute("INSERT INTO followers (name) VALUES (%s)", [follower.view.name])
        began = time.perf_counter()
        while applied := follower.step(connection):
            bar.advance(task, applied)
        seconds = time.perf_counter() - began
        while service.checkpointer.make_due():
            pass
        service.checkpointer.make_now()
    with bootstrap.connect(settings.owner_url, "benchmark") as connection:
        connection.execute("VACUUM ANALYZE merkle_leaves")
    newest = service.checkpoints.newest()
    (settings.data_dir / "checkpoint").write_text(newest.note if newest is not None else "")
    service.close()
    return events / seconds


def verify(settings: Settings) -> Run:
    """Run the command once."""
    environment = {"SUBUSERS_DATA_DIR": str(settings.data_dir)}
    command = [sys.executable, "-m", "api.cli", "verify", "--checkpoint", str(settings.data_dir / "checkpoint")]
    began = time.perf_counter()
    with subprocess.Popen(command, env=os.environ | environment) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        sys.exit("the store did not verify")
    return Run(seconds, usage.ru_maxrss / 1024)


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with ready_settings() as settings:
        write_history(settings.database_url or "", given.events)
        rate = follow(settings, given.events)
        runs = [verify(settings) for _ in range(given.runs)]
    table = Table(
        "events", "tree: events/s", f"verify: seconds (bar {BAR:.0f} a million)", f"MB (bar {MOST_MEMORY:.0f})"
    )
    for one in runs:
        table.add_row(f"{given.events:,}", f"{rate:,.0f}", f"{one.seconds:.1f}", f"{one.megabytes:.0f}")
    Console().print(table)
    slowest = max(one.seconds for one in runs)
    return int(slowest > BAR * given.events / 1_000_000 or max(one.megabytes for one in runs) > MOST_MEMORY)


if __name__ == "__main__":
    sys.exit(main())
