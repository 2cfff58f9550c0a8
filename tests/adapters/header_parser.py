"""Strict parser of mail headers, independent of the code under test and of Python's `email`."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

FIELD = re.compile(rb"([!-9;-~]+): ?(.*)", re.DOTALL)
ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?\s]*)\?=")
ADDRESS = re.compile(
    r"(?:(?P<phrase>[^<>,;:\"]*)<(?P<bracketed>[^<>\s,;:\"@]+@[^<>\s,;:\"@]+)>|(?P<bare>[^<>\s,;:\"@]+@\S+))"
)
MAX_LINE_BYTES = 998
"""Without the line end (RFC 5322)."""


class NotAMessage(Exception):
    """The bytes are not a message as defined by RFC 5322."""


@dataclass(frozen=True)
class Fields:
    """The fields of a message in their order, unfolded but not decoded."""

    fields: list[tuple[str, str]]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.fields]

    def __getitem__(self, name: str) -> str:
        (value,) = [value for other, value in self.fields if other == name]
        return value


def parse_header(message: bytes) -> Fields:
    """Return the fields before the first empty line."""
    header, separator, _ = message.partition(b"\r\n\r\n")
    if not separator:
        raise NotAMessage("there is no empty line")
    fields: list[tuple[str, str]] = []
    for line in header.split(b"\r\n"):
        if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line) or len(line) > MAX_LINE_BYTES or not line.strip():
            raise NotAMessage(line)
        if line[:1] in b" \t":
            if not fields:
                raise NotAMessage(line)
            name, value = fields.pop()
            fields.append((name, value + line.decode()))
        elif match := FIELD.fullmatch(line):
            fields.append((match[1].decode(), match[2].decode()))
        else:
            raise NotAMessage(line)
    return Fields(fields)


def decode_words(value: str) -> str:
    """Return `value` with its encoded words decoded once (RFC 2047); drop the space between adjacent ones."""
    decoded, gap_after_word = "", None
    for token in re.split(r"( +)", value):
        match = ENCODED_WORD.fullmatch(token)
        if match is not None:
            decoded += _decode_word(match)
            gap_after_word = ""
        elif gap_after_word is not None and not token.strip():
            gap_after_word += token
        else:
            decoded += (gap_after_word or "") + token
            gap_after_word = None
    return decoded + (gap_after_word or "")


def _decode_word(match: re.Match[str]) -> str:
    charset, encoding, text = match.groups()
    if encoding in "bB":
        return base64.b64decode(text, validate=True).decode(charset)
    unquoted = re.sub(r"=([0-9A-Fa-f]{2})", lambda octet: chr(int(octet[1], 16)), text.replace("_", " "))
    return unquoted.encode("latin-1").decode(charset)


def parse_address(value: str) -> tuple[str, str]:
    """Return the display name and address of a field that holds exactly one address."""
    match = ADDRESS.fullmatch(value.strip())
    if match is None:
        raise NotAMessage(value)
    return decode_words((match["phrase"] or "").strip()), match["bracketed"] or match["bare"]
