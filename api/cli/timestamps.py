"""Times in options and output of commands."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # typer reads the annotations

import typer
from marshmallow import ValidationError

from api.http.fields.times import TimeOrDay


def parse_time(text: str) -> datetime:
    """Parse an RFC 3339 time, or a day, which means its beginning in UTC."""
    try:
        parsed: datetime = TimeOrDay().deserialize(text)
    except ValidationError as error:
        raise typer.BadParameter(str(error.messages[0])) from None
    return parsed


def format_time(at: datetime) -> str:
    """Format a UTC time to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}"
