"""Cost of a command on an account with a long history."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from api.bootstrap import composition_root
from benchmarks import long_history, servers
from benchmarks.lines import Line

if TYPE_CHECKING:
    from benchmarks.lines import Scale
    from benchmarks.long_history import Account

SHORT_HISTORY = 100
COMMANDS_PER_SECOND = 100
"""Commands on each of the two accounts, per second of load: half of what one thread can do."""

BAR = 1.15


def measure(scale: Scale) -> list[Line]:
    """Time commands on an account with a long history and on accounts with a short one, alternating."""
    with servers.temporary_database() as settings:
        service = composition_root.build(settings)
        long_account = long_history.create_account(service, scale.long_history)

        def short_account() -> Account:
            return long_history.create_account(service, SHORT_HISTORY)

        commands = int(COMMANDS_PER_SECOND * scale.seconds)
        times = long_history.measure(
            long_history.rename_in_process(service), short_account, long_account, scale.runs, commands
        )
        service.close()
    label = f"one command on an account with {scale.long_history:,} events"
    return [
        Line(
            label,
            median(times.long),
            "ms",
            f"on one with {SHORT_HISTORY} events",
            median(times.short),
            BAR,
            is_minimum=False,
        )
    ]
