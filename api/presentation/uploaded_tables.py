"""Tables that people upload: CSV files as spreadsheets of any language and system write them."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and the encoding that each of them stands for."""

SEPARATORS = ",;\t"


class UnreadableTable(Exception):
    """The file is not a table of text."""


def read_table(content: bytes) -> list[list[str]]:
    """Return the rows of a CSV file without empty ones, with trimmed cells. Raises `UnreadableTable`.

    The encoding is UTF-8, UTF-16 or Windows-1252, the separator a comma, a semicolon or a tab.
    """
    text = _decode(content)
    if "\0" in text:
        raise UnreadableTable
    if text.lower().startswith("sep="):  # Excel's own way to name the separator
        text = text.partition("\n")[2]
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True))
    except csv.Error:
        raise UnreadableTable from None
    return [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]


def _decode(content: bytes) -> str:
    encoding = next((encoding for mark, encoding in MARKS if content.startswith(mark)), None)
    if encoding is None and b"\0" in content[:2]:
        encoding = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    for candidate in [encoding] if encoding else ["utf-8", "cp1252"]:
        try:
            return content.decode(candidate)
        except UnicodeDecodeError:
            continue
    raise UnreadableTable


def _separator(text: str) -> str:
    """Return the separator that the heading has most often outside of quotes."""
    heading = next((line for line in text.splitlines() if line.strip()), "")
    unquoted = "".join(heading.split('"')[::2])
    counts = Counter(character for character in unquoted if character in SEPARATORS)
    return max(SEPARATORS, key=lambda separator: counts[separator])
