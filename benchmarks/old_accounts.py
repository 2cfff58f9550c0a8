"""A command costs the same, however long the account's history is."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from api import bootstrap
from benchmarks import long_history
from benchmarks.lines import Line

if TYPE_CHECKING:
    from benchmarks.lines import Scale
    from benchmarks.long_history import Account

SHORT = 100
COMMANDS_A_SECOND = 100
"""On each of the two accounts, in turn: half of what one thread comes to."""

BAR = 1.15


def measure(scale: Scale) -> list[Line]:
    """Time commands on an account with a long history and on ones with a short history, in turn."""
    with long_history.ready_settings() as settings:
        service = bootstrap.build(settings)
        old = long_history.make(service, scale.long_history)

        def young() -> Account:
            return long_history.make(service, SHORT)

        commands = int(COMMANDS_A_SECOND * scale.seconds)
        times = long_history.measure(long_history.through(service), young, old, scale.runs, commands)
        service.close()
    what = f"one command on an account with {scale.long_history:,} events"
    return [
        Line(what, median(times.long), "ms", f"on one with {SHORT} events", median(times.short), BAR, at_least=False)
    ]
