"""Fields whose checks make input harmless before anything else sees it."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError, fields, validate

SHORTEST_EMAIL = 5
"""As a@b.c: a domain that mail can be sent to has a dot."""

LONGEST_EMAIL = 254
"""RFC 5321, 4.5.3.1.3."""

LARGEST_DETAILS = 4000
DEEPEST_DETAILS = 16

NOISE = Decimal("1e-9")
"""What a number that was calculated may be off, without meaning more decimals than it should have."""

ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""NUL as JSON text has it: behind an even number of backslashes, which are themselves escaped."""

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")


CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
LINE = f"^[^{CONTROL}]*$"
LINE_WITH_TEXT = f"^[^{CONTROL}]*[^{CONTROL}\\s][^{CONTROL}]*$"
"""What `Text` takes, as the OpenAPI document says it; unpaired surrogates are no text to begin with."""

NO_NUL = r"^[^\x00]*$"


class Text(fields.String):
    """One line of text: no control characters, no halves of characters, no space around it."""

    def __init__(self, *, longest: int, shortest: int = 1, **kwargs: Any) -> None:
        metadata = {"pattern": LINE_WITH_TEXT if shortest else LINE, **kwargs.pop("metadata", {})}
        super().__init__(validate=validate.Length(shortest, longest), metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
            msg = "must not contain control characters or unpaired surrogates"
            raise ValidationError(msg)
        return unicodedata.normalize("NFC", text).strip()


class Word(fields.String):
    """A name that machines go by: all of it is as the pattern says."""

    def __init__(self, pattern: str, **kwargs: Any) -> None:
        self._pattern = re.compile(pattern)
        super().__init__(metadata={"pattern": pattern, **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not self._pattern.fullmatch(text):
            msg = f"must match {self._pattern.pattern}"
            raise ValidationError(msg)
        return text


class Password(fields.String):
    """A password: any text. Its quality is judged where it is set, not where it is tried."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"format": "password", "pattern": NO_NUL, **kwargs.pop("metadata", {})}
        super().__init__(load_only=True, validate=validate.Length(1, 1000), metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if any(character == "\0" or unicodedata.category(character) == "Cs" for character in text):
            msg = "must not contain NUL or unpaired surrogates"
            raise ValidationError(msg)
        return text


class NewPassword(Password):
    """A password that is set: it is judged in the form in which it is hashed, and this is said of it beforehand."""

    def __init__(self, **kwargs: Any) -> None:
        told = "15 to 128 characters, any of them; not a common one, and without the e-mail or the name."
        metadata = {"minLength": 15, "maxLength": 128, "description": told, **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)


class Email(Text):
    """An address that mail can be sent to.

    What is before the @ is ASCII, and a domain is kept in its ASCII form, so that no two addresses merely look alike.
    """

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"format": "email", "examples": ["colleague@example.com"], **kwargs.pop("metadata", {})}
        super().__init__(longest=LONGEST_EMAIL, shortest=SHORTEST_EMAIL, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            address = validate_email(text, check_deliverability=False, allow_smtputf8=False, strict=True)
        except EmailNotValidError:
            msg = "is not a valid e-mail address"
            raise ValidationError(msg) from None
        return f"{address.ascii_local_part}@{address.ascii_domain}"


class TriedEmail(fields.String):
    """An address that somebody tries to log in with: in the form in which it was registered, or as it is."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            address = validate_email(text, check_deliverability=False, allow_smtputf8=False)
        except EmailNotValidError:
            return text
        return f"{address.ascii_local_part}@{address.ascii_domain}"


class Time(fields.Field[datetime]):
    """A moment, in RFC 3339 with an offset; answered in UTC."""

    default_error_messages = {"invalid": "must be a time such as 2026-05-01T00:00:00Z"}  # noqa: RUF012  # as the library has it

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"type": "string", "format": "date-time", **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else written(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            if not RFC_3339.fullmatch(value.upper()):
                raise self.make_error("invalid")
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (AttributeError, ValueError, OverflowError):
            raise self.make_error("invalid") from None


class Day(fields.Field[date]):
    """A day, or the moment at which one begins in UTC."""

    default_error_messages = {"invalid": "must be a day such as 2026-05-01, or the moment at which one begins in UTC"}  # noqa: RUF012  # as the library has it

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"type": "string", "format": "date", **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)

    def _serialize(self, value: date | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        try:
            if DAY.fullmatch(value):
                return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid") from None
        try:
            moment: datetime = Time().deserialize(value)
        except ValidationError:
            raise self.make_error("invalid") from None
        if moment.time() != time.min:
            raise self.make_error("invalid")
        return moment.date()


class Minutes(fields.Field[int]):
    """Minutes, to the thousandth; handed on as milliseconds, so that sums of them are exact."""

    default_error_messages = {  # noqa: RUF012  # as the library has it
        "invalid": "must be a number",
        "range": "must be from 0 to {most}",
        "precision": "must have at most 3 decimals",
    }

    def __init__(self, *, most: int | None = None, **kwargs: Any) -> None:
        self._most = most
        bounds = {} if most is None else {"minimum": 0, "maximum": most, "multipleOf": 0.001}
        super().__init__(metadata={"type": "number", **bounds, **kwargs.pop("metadata", {})}, **kwargs)

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> float | None:
        if value is None:
            return None
        return value // 60_000 if value % 60_000 == 0 else round(value / 60_000, 3)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.make_error("invalid")
        if not 0 <= value <= (self._most or 0):
            raise self.make_error("range", most=self._most)
        told = Decimal(repr(value))
        rounded = told.quantize(Decimal("0.001"), ROUND_HALF_EVEN)
        if abs(told - rounded) > NOISE:
            raise self.make_error("precision")
        return int(rounded * 60_000)


class Whole(fields.Integer):
    """A whole number, as JSON Schema has it: 12.0 is one, "12" and true are not."""

    def _validated(self, value: Any) -> int:
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value // 1:
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Flag(fields.Boolean):
    """True or false, and nothing that might be meant so."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Details(fields.Field[Any]):
    """Any JSON value, within bounds; handed on as its text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            text.encode()
        except (ValueError, RecursionError):
            msg = "must not contain unpaired surrogates, or numbers that are too large"
            raise ValidationError(msg) from None
        if ESCAPED_NUL.search(text):
            msg = "must not contain NUL"
            raise ValidationError(msg)
        if len(text) > LARGEST_DETAILS or _is_deeper(value, DEEPEST_DETAILS):
            msg = f"must be at most {LARGEST_DETAILS} characters and {DEEPEST_DETAILS} levels"
            raise ValidationError(msg)
        return text


class Facts(fields.Field[Any]):
    """What only one kind of event tells: any JSON value, its times and ids written as everywhere else."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return {name: _plain(fact) for name, fact in value.items()} if isinstance(value, dict) else value


class Fact(fields.Field[Any]):
    """One thing that an event tells."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return _plain(value)


def _plain(fact: Any) -> Any:
    if isinstance(fact, datetime):
        return written(fact)
    if isinstance(fact, date):
        return fact.isoformat()
    return str(fact) if isinstance(fact, UUID) else fact


def written(moment: datetime) -> str:
    """Return a moment as answers have it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _is_deeper(value: Any, levels: int) -> bool:
    """Say whether a value has more levels than these, looking no deeper."""
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    return any(_is_deeper(part, levels - 1) for part in (value.values() if isinstance(value, dict) else value))
