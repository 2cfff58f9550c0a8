"""Does an account with 10,000 events answer a command as fast as one with 10? Exits 1 if not.

Run it with `.venv/bin/python benchmarks/long_history.py`: it brings a database of its own, in a folder that it removes.
Commands on the two accounts alternate, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from api import bootstrap, config
from application.api_keys import Scope
from application.origin import Origin
from application.sub_users import SubUserChanges
from domain.cause import ActorType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from api.bootstrap import Service

SHORT, LONG = 10, 10_000
BAR = 1.3
"""Times as long: what a command on a long history may take of the time on a short one."""

EVENTS_A_CHANGE = 3
WARM_UP = 5
ORIGIN = Origin(ActorType.MAIN_ACCOUNT, "the owner", ip="192.0.2.1", user_agent="a browser")

Rename: TypeAlias = "Callable[[Account, str], object]"


@dataclass(frozen=True)
class Account:
    """An account with one sub-user, whose name is changed."""

    account_id: UUID
    sub_user_id: UUID


@dataclass(frozen=True)
class Times:
    """Milliseconds that a command took on a short history and on a long one: the median of each run."""

    short: list[float]
    long: list[float]

    @property
    def ratio(self) -> float:
        """How many times as long it took on the long history, in the median run."""
        return median(long / short for short, long in zip(self.short, self.long, strict=True))


def make(service: Service, events: int) -> Account:
    """Return an account with so many events in its history, or just above."""
    email = f"boss-{uuid4().hex}@company.example"
    account_id = service.accounts.register(ORIGIN, email=email, company_name="Winds & Waves").value.account_id
    made = service.sub_users.create(account_id, ORIGIN, email=email, name="Grace", surname="Hopper").value
    account = Account(account_id, made.sub_user_id)
    steps = range((events - 2 + EVENTS_A_CHANGE - 1) // EVENTS_A_CHANGE)
    for step in track(steps, "a long history", disable=events < LONG):
        changes = SubUserChanges(
            name=f"Grace {step}",
            visible=step % 2 == 1,
            expiry_given=True,
            access_expires_at=datetime.now(UTC) + timedelta(days=1),
        )
        service.sub_users.change(account.account_id, account.sub_user_id, changes, ORIGIN)
    version = service.main_accounts.load(account_id).version
    if version < events:
        sys.exit(f"the history has {version} events, not {events}")
    return account


def measure(rename: Rename, short: Callable[[], Account], long: Account, runs: int, commands: int) -> Times:
    """Time commands on a short history, made anew for each run, and on the long one, in turn."""
    times = Times([], [])
    for _ in range(runs):
        fresh = short()
        for one in (fresh, long) * WARM_UP:
            seconds(rename, one)
        pairs = [(seconds(rename, fresh), seconds(rename, long)) for _ in range(commands)]
        times.short.append(1000 * median(pair[0] for pair in pairs))
        times.long.append(1000 * median(pair[1] for pair in pairs))
    return times


def seconds(rename: Rename, account: Account) -> float:
    """Return how long one command takes."""
    began = time.perf_counter()
    rename(account, f"Grace {uuid4().hex}")
    return time.perf_counter() - began


def through(service: Service) -> Rename:
    """Return the command as the application has it."""
    return lambda account, name: service.sub_users.change(
        account.account_id, account.sub_user_id, SubUserChanges(name=name), ORIGIN
    )


def first_of_process(settings: config.Settings, short: Callable[[], Account], long: Account, runs: int) -> Times:
    """Time the first command on an account that a process gets: it finds nothing in its cache."""
    times = Times([], [])
    for run in range(runs):
        fresh = short()
        service = bootstrap.build(settings)
        seconds(through(service), short())  # connections and prepared statements are not what is compared
        in_turn = (fresh, long) if run % 2 else (long, fresh)
        took = {account: 1000 * seconds(through(service), account) for account in in_turn}
        times.short.append(took[fresh])
        times.long.append(took[long])
        service.close()
    return times


@contextmanager
def over_http(settings: config.Settings, api_key: str) -> Iterator[Rename]:
    """Run the doors as a process of their own, and yield the command as a portal has it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {"SUBUSERS_DATA_DIR": str(settings.data_dir), "SUBUSERS_PORT": str(port), "SUBUSERS_PROCESSES": "1"}
    with (
        subprocess.Popen(
            [sys.executable, "-m", "api.cli", "api"], env=os.environ | environment, stderr=subprocess.DEVNULL
        ) as doors,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {api_key}"},
            transport=httpx.HTTPTransport(retries=10),  # until it listens, for a minute or so
        ) as portal,
    ):

        def rename(account: Account, name: str) -> None:
            path = f"/v1/accounts/{account.account_id}/sub-users/{account.sub_user_id}"
            portal.patch(path, json={"name": name}).raise_for_status()

        try:
            portal.get("/healthz")
            yield rename
        finally:
            doors.terminate()


@contextmanager
def ready_settings() -> Iterator[config.Settings]:
    """Run a database in a folder of its own; yield the settings with which to reach it."""
    folder = Path(tempfile.mkdtemp(prefix="subusers-benchmark-"))
    folder.chmod(0o711)  # as root, the database runs as somebody else
    settings = replace(config.load(), database_url=None, embedded=True, data_dir=folder, master_keys=(), processes=1)
    try:
        with bootstrap.opened(settings) as ready:
            bootstrap.run_migrations(ready)
            yield ready
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--commands", type=int, default=100, help="a run, on each of the two accounts")
    given = parser.parse_args()
    with ready_settings() as settings:
        service = bootstrap.build(settings)
        long = make(service, LONG)
        api_key = service.api_keys.create(Scope.PORTAL, "benchmark", service.clock())

        def short() -> Account:
            return make(service, SHORT)

        inside = measure(through(service), short, long, given.runs, given.commands)
        with over_http(settings, api_key) as rename:
            outside = measure(rename, short, long, given.runs, given.commands)
        first = first_of_process(settings, short, long, given.runs)
        service.close()
    show({"the application": inside, "HTTP": outside, "a process new to it (up to 99 events after a snapshot)": first})
    return int(max(inside.ratio, outside.ratio) > BAR)


def show(measured: dict[str, Times]) -> None:
    """Print the medians and ratios."""
    table = Table("a command through", f"{SHORT} events", f"{LONG:,} events", f"ratio (bar {BAR})")
    for name, times in measured.items():
        table.add_row(name, f"{median(times.short):.2f} ms", f"{median(times.long):.2f} ms", f"{times.ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
