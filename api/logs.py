"""Structured logs: one JSON object a line on stderr, or aligned columns on a terminal. Neither holds personal data."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import structlog
from flask import has_app_context
from flask.globals import app_ctx

if TYPE_CHECKING:
    from structlog.typing import EventDict


def configure() -> None:
    """Set logging up for this process."""
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
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
