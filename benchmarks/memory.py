"""A server process keeps its size, however many requests it has answered."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import servers
from benchmarks.hot_paths import CONNECTIONS, populated
from benchmarks.lines import Line
from benchmarks.load import Target, written
from benchmarks.long_history import ready_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.lines import Scale
    from benchmarks.load import Load
    from benchmarks.people import Person

AT_A_TIME = 5.0
"""Seconds of load between two looks at how many requests there have been."""


def measure(scale: Scale) -> list[Line]:
    """Load one server process, and compare its size after the first tenth with that at the end."""
    with ExitStack() as stack:
        settings = stack.enter_context(ready_settings())
        people, listed, api_key = populated(settings)
        stack.enter_context(servers.work(settings))
        doors = stack.enter_context(servers.doors(settings, SUBUSERS_PROCESSES="1"))
        (pid,) = doors.workers
        requests = stack.enter_context(written(mixed(people, listed)))
        target = Target(doors.url, requests, (f"Authorization: Bearer {api_key}",))
        answered, early = 0, 0.0
        while answered < scale.requests:
            load: Load = target.under(CONNECTIONS, AT_A_TIME)
            answered += load.requests
            if not early and answered >= scale.requests / 10:
                early = megabytes(pid)
        what = f"memory of a worker after {scale.requests:,} requests"
        against = f"after the first {scale.requests // 10:,}"
        return [Line(what, megabytes(pid), "MB", against, early, 1.05, at_least=False)]


def mixed(people: list[Person], listed: Sequence[Person]) -> Iterator[tuple[str, str, object]]:
    """Return what portals ask: mostly what sessions are good for, some lists, few changes."""
    for number, one in enumerate(people * 10):
        if number % 20 == 0:
            yield "PATCH", one.path, {"name": f"Grace {number}"}
        elif number % 20 < 4:
            yield "GET", f"/v1/accounts/{listed[number % len(listed)].account_id}/sub-users", None
        else:
            yield "POST", "/v1/sessions/introspect", {"token": one.token, "permission": "assistants"}


def megabytes(pid: int) -> float:
    """Return how much memory a process has in use."""
    (line,) = [one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS")]
    return int(line.split()[1]) / 1024
