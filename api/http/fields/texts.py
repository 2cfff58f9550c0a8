"""Fields for text, e-mail addresses and passwords."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError, fields, validate

from application.display_text import INVISIBLE, has_visible_character

MIN_EMAIL_LENGTH = 5
"""The length of a@b.c: the domain of a deliverable address has a dot."""

MAX_EMAIL_LENGTH = 254
"""RFC 5321, 4.5.3.1.3."""

ENCODED_WORD = "=?"
"""Beginning of an encoded word (RFC 2047). Mail programs would decode it, and show a different address."""

CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"

LINE = f"^[^{CONTROL}]*$"

INVISIBLE_IN_BMP = re.sub("[\U00010000-\U0010ffff](-[\U00010000-\U0010ffff])?", "", INVISIBLE)
"""Without the characters that need two UTF-16 code units: tools that do not compile patterns as Unicode refuse them."""

LINE_WITH_TEXT = f"^[^{CONTROL}]*[^{CONTROL}{INVISIBLE_IN_BMP}\\s][^{CONTROL}]*$"
"""Patterns of `Text` for the OpenAPI document.

They do not exclude unpaired surrogates and some rare invisible characters, which are also refused.
"""

NO_NUL = r"^[^\x00]*$"


class Text(fields.String):
    """A line of text in NFC, stripped of surrounding white space.

    It must not have control characters or unpaired surrogates. Unless it may be empty, it needs a visible character.
    """

    def __init__(self, *, max_length: int, min_length: int = 1, **kwargs: Any) -> None:
        metadata = {"pattern": LINE_WITH_TEXT if min_length else LINE, **kwargs.pop("metadata", {})}
        super().__init__(validate=validate.Length(min_length, max_length), metadata=metadata, **kwargs)
        self._needs_visible_character = min_length > 0

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        _require_line(text)
        text = unicodedata.normalize("NFC", text).strip()
        if self._needs_visible_character and text:
            _require_visible_character(text)
        return text


class ExactText(fields.String):
    """A line of text that is compared exactly, such as an id of the portal's: neither stripped nor normalized."""

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        metadata = {"pattern": LINE_WITH_TEXT, **kwargs.pop("metadata", {})}
        super().__init__(validate=validate.Length(1, max_length), metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        _require_line(text)
        if text:
            _require_visible_character(text)
        return text


class MachineName(fields.String):
    """A machine-readable name that matches a pattern as a whole."""

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
    """A password to verify: any text without NUL. `NewPassword` documents the rules for new ones."""

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
    """A password to set. Only documents the rules: the password policy checks the normalized password later."""

    def __init__(self, **kwargs: Any) -> None:
        description = (
            "15 to 128 characters of any kind. Common passwords, and parts of the e-mail or the name, are refused."
        )
        metadata = {"minLength": 15, "maxLength": 128, "description": description, **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)


class Email(Text):
    """A deliverable e-mail address.

    The local part must be ASCII, and the domain is converted to ASCII, so that no two addresses look alike.
    """

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"format": "email", "examples": ["colleague@example.com"], **kwargs.pop("metadata", {})}
        super().__init__(max_length=MAX_EMAIL_LENGTH, min_length=MIN_EMAIL_LENGTH, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        address = normalized_email(text)
        if address is None:
            msg = "is not a valid e-mail address"
            raise ValidationError(msg)
        return address


class SignInEmail(fields.String):
    """An e-mail address at sign-in: normalized if it is valid, else unchanged."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        return normalized_email(text) or text


class SearchText(Text):
    """A search text. A complete e-mail address is normalized like a registered one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        return normalized_email(text) or text


def _require_line(text: str) -> None:
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        msg = "must not contain control characters or unpaired surrogates"
        raise ValidationError(msg)


def _require_visible_character(text: str) -> None:
    if not has_visible_character(text):
        msg = "must have at least one visible character"
        raise ValidationError(msg)


def normalized_email(text: str) -> str | None:
    """Return the normalized form of an e-mail address, used to register, sign in and search; None if invalid.

    Strips white space and converts the domain to ASCII. Hashing ignores case later.
    """
    text = unicodedata.normalize("NFC", text).strip()
    try:
        address = validate_email(text, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        return None
    return None if ENCODED_WORD in text else f"{address.ascii_local_part}@{address.ascii_domain}"
