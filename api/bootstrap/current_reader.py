"""The reader of a request. Pagination cursors are bound to it."""

from __future__ import annotations

from application.commands.audit_access import OPERATOR


def current_reader() -> str:
    """Return the identifier of the API key or console user that sent the request, as set by `identify_reader`."""
    from flask import g, has_request_context  # noqa: PLC0415  # commands that serve no HTTP start faster without Flask

    if not has_request_context():
        return OPERATOR
    return " ".join(map(str, g.get("reader", ("anonymous",))))


def identify_reader(kind: str, identifier: object) -> None:
    """Set the reader of the current request."""
    from flask import g  # noqa: PLC0415  # as above

    g.reader = kind, identifier
