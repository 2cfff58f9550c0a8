"""Moments as operators write them."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # typer reads the annotations

import typer
from marshmallow import ValidationError

from api.http.fields import Time


def moment(text: str) -> datetime:
    """Return the moment that a text names: in RFC 3339, or a day, which stands for its beginning in UTC."""
    try:
        parsed: datetime = Time().deserialize(text if "T" in text.upper() else f"{text}T00:00:00Z")
    except ValidationError as error:
        raise typer.BadParameter(str(error.messages[0])) from None
    return parsed


def written(at: datetime) -> str:
    """Return a moment to the second, as everything on a terminal has it: in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}"
