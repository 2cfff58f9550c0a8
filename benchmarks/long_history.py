"""Does a command on an account with 10,000 events take as long as on one with 10 events? Exits 1 if not.

Run `.venv/bin/python -m benchmarks.long_history`. It creates its own database in a temporary folder. Commands on the
two accounts alternate, so that other load on the machine affects both.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from api.bootstrap import composition_root
from application.command_context import CommandContext
from application.commands.api_keys import Scope
from application.commands.sub_users import SubUserChanges
from benchmarks.servers import run_api, temporary_database
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service

SHORT_HISTORY, LONG_HISTORY = 10, 10_000
BAR = 1.3
"""Ratio of the times on the long and the short history."""

EVENTS_PER_CHANGE = 3
WARM_UP = 5
OWNER_CONTEXT = CommandContext(ActorType.MAIN_ACCOUNT, "the owner", ip="192.0.2.1", user_agent="a browser")

Rename: TypeAlias = "Callable[[Account, str], object]"


@dataclass(frozen=True)
class Account:
    """An account with one sub-user, which the commands rename."""

    account_id: UUID
    sub_user_id: UUID


@dataclass(frozen=True)
class Times:
    """Milliseconds per command on a short and on a long history: the median of each run."""

    short: list[float]
    long: list[float]

    @property
    def ratio(self) -> float:
        """How many times as long a command takes on the long history, in the median run."""
        return median(long / short for short, long in zip(self.short, self.long, strict=True))


def create_account(service: Service, events: int) -> Account:
    """Create an account with at least `events` events in its history."""
    email = f"owner-{uuid4().hex}@company.example"
    account_id = service.commands.accounts.register(
        OWNER_CONTEXT, email=email, company_name="Winds & Waves"
    ).value.account_id
    sub_user = service.commands.sub_users.create(
        account_id, OWNER_CONTEXT, email=email, name="Grace", surname="Hopper"
    ).value
    account = Account(account_id, sub_user.sub_user_id)
    steps = range((events - 2 + EVENTS_PER_CHANGE - 1) // EVENTS_PER_CHANGE)
    for step in track(steps, "a long history", disable=events < LONG_HISTORY):
        changes = SubUserChanges(
            name=f"Grace {step}",
            visible=step % 2 == 1,
            changes_expiry=True,
            access_expires_at=datetime.now(UTC) + timedelta(days=1),
        )
        service.commands.sub_users.change(account.account_id, account.sub_user_id, changes, OWNER_CONTEXT)
    version = service.main_accounts.load(account_id).version
    if version < events:
        sys.exit(f"the history has {version} events, not {events}")
    return account


def measure(rename: Rename, short: Callable[[], Account], long: Account, runs: int, commands: int) -> Times:
    """Time commands on the long history, and on a short one that is created for each run, alternating."""
    times = Times([], [])
    for _ in range(runs):
        short_account = short()
        for account in (short_account, long) * WARM_UP:
            seconds(rename, account)
        pairs = [(seconds(rename, short_account), seconds(rename, long)) for _ in range(commands)]
        times.short.append(1000 * median(pair[0] for pair in pairs))
        times.long.append(1000 * median(pair[1] for pair in pairs))
    return times


def seconds(rename: Rename, account: Account) -> float:
    """Return the duration of one command."""
    started_at = time.perf_counter()
    rename(account, f"Grace {uuid4().hex}")
    return time.perf_counter() - started_at


def rename_in_process(service: Service) -> Rename:
    """Return the command as a call of the application layer."""
    return lambda account, name: service.commands.sub_users.change(
        account.account_id, account.sub_user_id, SubUserChanges(name=name), OWNER_CONTEXT
    )


def time_first_commands(settings: Settings, short: Callable[[], Account], long: Account, runs: int) -> Times:
    """Time the first command on each account in a new service instance, for each run."""
    times = Times([], [])
    for run in range(runs):
        short_account = short()
        service = composition_root.build(settings)
        seconds(rename_in_process(service), short())  # warm-up: connections and prepared statements
        accounts = (short_account, long) if run % 2 else (long, short_account)
        milliseconds = {account: 1000 * seconds(rename_in_process(service), account) for account in accounts}
        times.short.append(milliseconds[short_account])
        times.long.append(milliseconds[long])
        service.close()
    return times


@contextmanager
def over_http(settings: Settings, api_key: str) -> Iterator[Rename]:
    """Run the API in a process of its own, and yield the command as a request of a portal."""
    with (
        run_api(settings, SUBUSERS_SERVER_PROCESSES="1") as api,
        httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {api_key}"}) as portal,
    ):

        def rename(account: Account, name: str) -> None:
            path = f"/v1/accounts/{account.account_id}/sub-users/{account.sub_user_id}"
            portal.patch(path, json={"name": name}).raise_for_status()

        yield rename


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--commands", type=int, default=100, help="per run and account")
    args = parser.parse_args()
    with temporary_database() as settings:
        service = composition_root.build(settings)
        long_account = create_account(service, LONG_HISTORY)
        api_key = service.commands.api_keys.create(Scope.PORTAL, "benchmark", CommandContext(ActorType.SYSTEM))

        def short() -> Account:
            return create_account(service, SHORT_HISTORY)

        in_process = measure(rename_in_process(service), short, long_account, args.runs, args.commands)
        with over_http(settings, api_key) as rename:
            via_http = measure(rename, short, long_account, args.runs, args.commands)
        first = time_first_commands(settings, short, long_account, args.runs)
        service.close()
    show(
        {
            "the application": in_process,
            "HTTP": via_http,
            "a new process": first,
        }
    )
    return int(max(in_process.ratio, via_http.ratio) > BAR)


def show(measured: dict[str, Times]) -> None:
    """Print the medians and ratios."""
    table = Table("a command via", f"{SHORT_HISTORY} events", f"{LONG_HISTORY:,} events", f"ratio (bar {BAR})")
    for name, times in measured.items():
        table.add_row(name, f"{median(times.short):.2f} ms", f"{median(times.long):.2f} ms", f"{times.ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
