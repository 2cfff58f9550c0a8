"""Field for a published event type."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from projections.feed.event_catalog import BY_TYPE

MAX_QUOTED_LENGTH = 100
"""Characters of an unknown type that its message quotes."""


class _KnownType(validate.OneOf):
    def __init__(self) -> None:
        super().__init__(list(BY_TYPE))

    def _format_error(self, value: Any) -> str:
        return f"unknown event type: {str(value)[:MAX_QUOTED_LENGTH]}"


class EventType(fields.String):
    """A published event type. The message about an unknown one quotes it."""

    def __init__(self) -> None:
        super().__init__(validate=_KnownType())
