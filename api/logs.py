"""Structured logs: one JSON object a line on stderr, or aligned columns on a terminal. Neither holds personal data."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO, cast

import structlog
from flask import has_app_context
from flask.globals import app_ctx

if TYPE_CHECKING:
    from structlog.typing import EventDict


WRITTEN_EVERY = 0.02
"""Seconds for which lines are gathered."""


class GatheredLines:
    """A stream whose lines a thread of its own writes, many at once.

    Whoever writes lets go of the interpreter, and waits to have it again: among many requests that takes longer than
    anything else that is done for a line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._some = threading.Event()
        threading.Thread(target=self._run, name="log", daemon=True).start()
        atexit.register(self._write_all)

    def write(self, line: str) -> None:
        """Have a line written soon."""
        self._lines.append(line)
        if not self._some.is_set():
            self._some.set()

    def flush(self) -> None:
        """Do nothing: it is a matter of milliseconds."""

    def _run(self) -> None:
        while self._some.wait():
            time.sleep(WRITTEN_EVERY)
            self._some.clear()
            with suppress(OSError):  # nobody reads them any more
                self._write_all()

    def _write_all(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        self._stream.write("".join(lines))
        self._stream.flush()


def configure(*, gathered: bool = False) -> None:
    """Set logging up for this process; of many lines a second many are written at once, a moment later, `gathered`."""
    on_terminal = sys.stderr.isatty()
    renderer = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if on_terminal
        else structlog.processors.JSONRenderer()
    )
    exceptions = [] if on_terminal else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[
            with_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *exceptions,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(
            cast("TextIO", GatheredLines(sys.stderr)) if gathered else sys.stderr
        ),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format='{"level":"%(levelname)s","logger":"%(name)s"}'
    )


def with_request_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add the id of the request that is being answered, if any is."""
    if has_app_context() and "request_id" in app_ctx.g:
        event["request_id"] = app_ctx.g.request_id
    return event
