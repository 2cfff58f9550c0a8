"""What can go wrong, and how PostgreSQL's own output is boiled down to a line about it."""

from __future__ import annotations

from typing import Final

# How every refusal of a server goes that is starting, recovering or shutting down (the driver has no code for it).
NOT_NOW: Final = "the database system is "
FATAL_MARKS: Final = ("FATAL:", "PANIC:", "error:")


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot do what was asked; the message says why, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def telling_line(output: str) -> str:
    """Return the line of `output` that says what went wrong: the last fatal one, or else the last.

    The very last line of a server that failed is of no use: it always reads "database system is shut down".
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    fatal = [line for line in lines if any(mark in line for mark in FATAL_MARKS) and NOT_NOW not in line]
    return (fatal or lines or ["it said nothing"])[-1]
