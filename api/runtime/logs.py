"""Structured logs on stderr, without personal data: JSON lines, or text for a person at a terminal."""

from __future__ import annotations

import logging
import re
import sys
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, TextIO, cast

import structlog

from api.bootstrap.config import LogFormat, colors_are_disabled, log_format
from application.display_text import escape_unprintable

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

ROUTINE_EVENTS = frozenset({"database.used", "follower.leads", "checkpoint.signed"})
ROUTINE_ROUTES = ("/assets/", "/healthz", "/readyz", "/metrics")
"""What text leaves out: events of a service that works, and requests that succeeded on these routes."""

MAX_MESSAGE_LENGTH = 1000
DETAIL = re.compile(r"\n(?:DETAIL|HINT|CONTEXT|STATEMENT|QUERY)\b")
"""Beginning of PostgreSQL's additions to an error message, which contain row values and statements."""

SCRUBBING_RULES = (
    (re.compile(r"[^\s\"'<>(),;:=/]+@[^\s\"'<>(),;:/]+\.[^\s\"'<>(),;:/]+"), "[e-mail]"),
    (re.compile(r"(\w+://)[^\s/@]*@"), r"\1"),
    (re.compile(r"subusers_(portal|support|auditor|analytics)_[\w-]+"), r"subusers_\1_[key]"),
    (re.compile(r"(?i)(password|secret|token|authorization)(['\"]?\s*[=:]\s*)(bearer\s+)?[^\s,;)]+"), r"\1\2[secret]"),
    (re.compile(r"\b[\w-]{40,}\b"), "[secret]"),
)
"""Personal or secret parts of libraries' messages, and their replacements."""


class LogStream:
    """Stream wrapper that ignores write errors: a log line that cannot be written must not fail a request."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write a text, unless its reader is gone or the stream is closed."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream, unless its reader is gone or the stream is closed."""
        with suppress(OSError, ValueError):
            self._stream.flush()


class LibraryHandler(logging.Handler):
    """Writes log records of libraries as structured lines, with the scrubbed message as `event`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
            details = {"error": error} if error else {}
            logger = structlog.get_logger()
            logger.log(record.levelno, without_personal_data(record.getMessage()), logger=record.name, **details)
        except Exception:  # noqa: BLE001  # a message that cannot be formatted must not lose the log line
            self.handleError(record)


def without_personal_data(message: str) -> str:
    """Return a library's message without e-mail addresses, secrets, and values from the database."""
    message = DETAIL.split(message, maxsplit=1)[0].strip()
    for pattern, replacement in SCRUBBING_RULES:
        message = pattern.sub(replacement, message)
    return message[:MAX_MESSAGE_LENGTH]


def configure(*processors: Processor, cached: bool = False) -> None:
    """Configure logging for this process.

    Lines are text on a terminal and JSON elsewhere, unless `SUBUSERS_LOG_FORMAT` says otherwise. `processors` run
    before the standard ones. If `cached`, loggers keep this configuration. Raises `ConfigError`.
    """
    rendering: list[Processor]
    if (log_format() or _default_format()) is LogFormat.JSON:
        utc_time = structlog.processors.TimeStamper(fmt="iso", utc=True)
        rendering = [utc_time, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        local_time = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        rendering = [_without_routine, _with_request_as_phrase, local_time, _text_renderer()]
    structlog.configure(
        processors=[
            *processors,
            structlog.processors.add_log_level,
            *rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", LogStream(sys.stderr))),
        cache_logger_on_first_use=cached,  # a forked child sets up logging again
    )
    logging.basicConfig(level=logging.WARNING, handlers=[LibraryHandler()], force=True)


def configure_for_command() -> None:
    """Configure logging for a command that a person runs: only warnings and errors, each as a message in one line."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, _as_message],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", LogStream(sys.stderr))),
    )
    logging.basicConfig(level=logging.WARNING, handlers=[LibraryHandler()], force=True)


def _default_format() -> LogFormat:
    return LogFormat.TEXT if sys.stderr.isatty() else LogFormat.JSON


def _text_renderer() -> Processor:
    colors = sys.stderr.isatty() and not colors_are_disabled()
    return structlog.dev.ConsoleRenderer(
        colors=colors, pad_event_to=0, pad_level=False, exception_formatter=structlog.dev.plain_traceback
    )


def _without_routine(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave out what only says that the service works."""
    is_routine_request = (
        event.get("route", "").startswith(ROUTINE_ROUTES) and event.get("status", 0) < HTTPStatus.BAD_REQUEST
    )
    if event["event"] in ROUTINE_EVENTS or is_routine_request:
        raise structlog.DropEvent
    return event


def _with_request_as_phrase(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write a request as `GET /v1/accounts 200 12.3 ms`."""
    if event["event"] == "request":
        parts = [event.pop(name) for name in ("method", "route", "status", "milliseconds")]
        event.pop("api_key", None)
        event["event"] = " ".join(map(str, parts)) + " ms"
    return event


def _as_message(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Return a log line in the form of a message to the user."""
    level, name = event.pop("level"), event.pop("event")
    event.pop("exc_info", None)
    details = " ".join(f"{key}={value}" for key, value in event.items())
    return escape_unprintable(f"subusers: {level}: {name} {details}".rstrip())
