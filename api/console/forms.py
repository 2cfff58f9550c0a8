"""What a form holds, checked by the schemas of the HTTP interface; what was refused, in the visitor's language."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import request
from marshmallow import ValidationError

from api.console.language import can_say
from api.console.pages import say, visitor_language

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marshmallow import Schema

    from application.errors import InvalidValue


@dataclass
class Form:
    """The values of a form, as they were typed, and by field what is wrong with them, ready to be shown."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def sent(cls) -> Form:
        """Return the form that the request holds."""
        return cls(request.form.to_dict())

    def __getitem__(self, name: str) -> str:
        """Return what was typed there, without the space around it; nothing where there was no such field."""
        return self.values.get(name, "").strip()

    def as_typed(self, name: str) -> str:
        """Return what was typed there to the letter, as a password has to be."""
        return self.values.get(name, "")

    def is_checked(self, name: str) -> bool:
        """Say whether a box is checked."""
        return name in self.values

    def checked_by(self, schema: Schema, values: dict[str, Any]) -> dict[str, Any]:
        """Return what a schema makes of values of this form; what it refuses is noted, and left out."""
        try:
            return dict(schema.load(values))
        except ValidationError as error:
            messages: dict[str, list[str]] = error.normalized_messages()  # type: ignore[no-untyped-call]  # not typed there
            for name, reasons in messages.items():
                self.refuse(name, reasons[0])
            return dict(error.valid_data) if isinstance(error.valid_data, dict) else {}

    def refuse(self, name: str, reason: str) -> None:
        """Note that a field was refused. The reason is as the HTTP interface words it."""
        key = f"reasons.{reason}"
        self.errors[name] = say(key) if can_say(visitor_language(), key) else say("reasons.other")

    def take_in(self, error: InvalidValue) -> None:
        """Note what the application refused."""
        self.refuse(error.field, error.reason)
