"""Forms, validated by the schemas of the HTTP API, with error messages in the visitor's language."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import request
from marshmallow import ValidationError

from api.console.pages import t, visitor_language
from api.presentation.translations import has_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marshmallow import Schema

    from application.errors import InvalidValue


@dataclass
class Form:
    """A form's raw values, and the translated error messages by field."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_request(cls) -> Form:
        """Return the form in the request's body."""
        return cls(request.form.to_dict())

    def __getitem__(self, name: str) -> str:
        """Return a field's value without surrounding whitespace; "" if the field is missing."""
        return self.values.get(name, "").strip()

    def raw(self, name: str) -> str:
        """Return a field's value unchanged, as passwords require; "" if the field is missing."""
        return self.values.get(name, "")

    def is_checked(self, name: str) -> bool:
        """Return whether a checkbox is checked. Radio buttons can have the value "off"."""
        return self.values.get(name, "off") != "off"

    def load_with(self, schema: Schema, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values loaded by a schema. Invalid fields are left out, and get an error."""
        try:
            return dict(schema.load(values))
        except ValidationError as error:
            messages: dict[str, list[str]] = error.normalized_messages()  # type: ignore[no-untyped-call]  # marshmallow does not type it
            for name, reasons in messages.items():
                self.add_field_error(name, reasons[0])
            return dict(error.valid_data) if isinstance(error.valid_data, dict) else {}

    def add_field_error(self, name: str, reason: str) -> None:
        """Add a field's error. `reason` is the HTTP API's message; the form stores its translation."""
        key = f"reasons.{reason}"
        self.errors[name] = t(key) if has_text(visitor_language(), key) else t("reasons.other")

    def add_error(self, error: InvalidValue) -> None:
        """Add the error of a value that a command refused."""
        self.add_field_error(error.field, error.reason)
