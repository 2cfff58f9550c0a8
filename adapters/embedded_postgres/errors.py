"""Errors of the embedded server, and extraction of error messages from PostgreSQL's output."""

from __future__ import annotations

from typing import Final

# Start of the message of a server that is starting, recovering or shutting down. The driver has no code for it.
STARTING_OR_STOPPING_MESSAGE: Final = "the database system is "
FATAL_MARKS: Final = ("FATAL:", "PANIC:", "error:")


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL failed. The message is a single line with the reason."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def error_line(output: str) -> str:
    """Return the most informative line of an output: the last fatal one, or else the last line.

    The last line of a failed server is not informative: it is always "database system is shut down".
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    fatal_lines = [
        line for line in lines if any(mark in line for mark in FATAL_MARKS) and STARTING_OR_STOPPING_MESSAGE not in line
    ]
    return (fatal_lines or lines or ["no output"])[-1]
