"""Structured logs: one JSON object a line on stderr, or aligned columns on a terminal. Neither holds personal data."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO, cast

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor


GATHERED_FOR = 0.02
"""Seconds: of more lines than one in so many, those are written together."""


class GatheredLines:
    """A stream to which lines go at once where few come, and together, from a thread of its own, where many do.

    Whoever writes lets go of the interpreter, and waits to have it again: among many requests that takes longer than
    anything else that is done for a line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._written_at = -GATHERED_FOR
        self._gathering = False
        self._lock = threading.Lock()
        self._begun = threading.Event()
        threading.Thread(target=self._run, name="log", daemon=True).start()
        atexit.register(self._end)

    def write(self, line: str) -> None:
        """Write a line, or have it written soon."""
        with self._lock:
            if self._gathering:
                self._lines.append(line)
                return
            now = time.monotonic()
            if now - self._written_at >= GATHERED_FOR:
                self._written_at = now
                self._put(line)
                return
            self._lines.append(line)
            self._gathering = True
        self._begun.set()

    def flush(self) -> None:
        """Do nothing: it is a matter of milliseconds."""

    def _run(self) -> None:
        while self._begun.wait():
            self._begun.clear()
            while self._gathering:
                time.sleep(GATHERED_FOR)
                with self._lock:
                    lines, self._lines = self._lines, []
                    self._gathering = bool(lines)
                self._put("".join(lines))

    def _end(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        self._put("".join(lines))

    def _put(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more, or it is closed
            self._stream.write(text)
            self._stream.flush()


def configure(*processors: Processor, gathered: bool = False) -> None:
    """Set logging up for this process: what is to be done with each line beside what always is, and how it is written.

    Of many lines a second many are written at once, a moment later, if they are `gathered`.
    """
    on_terminal = sys.stderr.isatty()
    renderer = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if on_terminal
        else structlog.processors.JSONRenderer()
    )
    exceptions = [] if on_terminal else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[
            *processors,
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
