"""CSV lines that no spreadsheet reads as formulas, with any separator (OWASP, CSV injection)."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from application.display_text import escape_unprintable

FORMULA_STARTS = "=+@\uff1d\uff0b\uff0d\uff20-"
"""Characters that start a formula, including their full-width forms. The hyphen is last, for use in regex classes."""

SKIPPED = r"\s\u200b-\u200d\u2060\ufeff\""
"""Regex class of characters that spreadsheets may drop before a formula: spaces and quotes."""

_BEFORE_FORMULA = re.compile(f'(?:^|[;,|"])[{SKIPPED}]*(?=[{FORMULA_STARTS}])')
_HARMLESS = re.compile(r"(?:\w++-?|[ .,:;/()·])*+")
"""Text without anything to neutralize: its only possible starts of formulas are hyphens within words."""

_JSON_FORMULA = re.compile(f'(?<=[;|"])([{SKIPPED}]*)([{FORMULA_STARTS}])')


BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Mark of UTF-8. Without it, Excel reads a CSV file in the encoding of the computer's language."""


class JsonText(str):
    """A cell with JSON. Formulas in it are escaped as JSON, so that programs still read the same value."""

    __slots__ = ()

    @classmethod
    def of(cls, value: Any) -> JsonText:
        """Return a value as a JSON cell."""
        return cls(json.dumps(value, ensure_ascii=False, default=str))


def csv_line(values: tuple[Any, ...], separator: str = ",") -> bytes:
    """Return a line of a CSV file, encoded as UTF-8 and ending with CRLF."""
    line = io.StringIO()
    csv.writer(line, delimiter=separator).writerow([_neutralize(value) for value in values])
    return line.getvalue().encode()


def _neutralize(value: Any) -> Any:
    """Put an apostrophe before each possible formula in a cell.

    A formula can also follow a comma, semicolon, pipe or quote, where a spreadsheet with another separator starts a
    cell.
    """
    if not isinstance(value, str):
        return value
    if _HARMLESS.fullmatch(value):  # most cells, so that exports take half the time
        return value
    text = escape_unprintable(value)
    if isinstance(value, JsonText):
        # Commas are quoted by the CSV writer, and JSON has no semicolon or pipe outside of strings.
        text = _JSON_FORMULA.sub(lambda match: f"{match[1]}\\u{ord(match[2]):04x}", text)
        return f"'{text}" if text.startswith(tuple(FORMULA_STARTS)) else text
    return _BEFORE_FORMULA.sub(r"\g<0>'", text)
