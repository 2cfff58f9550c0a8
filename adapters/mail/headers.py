"""Serialization of mail header fields.

The standard library does not fold them safely: it can turn a name into other headers. Here, all text except short plain
ASCII is written as encoded words (RFC 2047). Text that looks like an encoded word, a list of addresses or a folded line
is encoded too, so that readers see exactly that text.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.headerregistry import Address

CHUNK_BYTES = 39
"""Bytes of text per encoded word. The word has 64 characters, so its line stays within 76 (RFC 2047, section 2)."""

MAX_PLAIN_LENGTH = 60
MAX_LINE_LENGTH = 76
_PLAIN_TEXT = re.compile(r"(?!.*=\?)[\x21-\x7e]+(?: [\x21-\x7e]+)*")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*")
"""Atoms of RFC 5322 without = and ?, which delimit encoded words."""


def text_field(name: str, text: str) -> bytes:
    """Return an unstructured field, such as Subject."""
    return _field(name, _encoded(text, _PLAIN_TEXT))


def address_field(name: str, address: Address) -> bytes:
    """Return a field with one address, such as To."""
    if not address.display_name:
        return _field(name, address.addr_spec)
    phrase, addr_spec = _encoded(address.display_name, _PLAIN_PHRASE), f"<{address.addr_spec}>"
    fits = len(f"{name}: {phrase} {addr_spec}") <= MAX_LINE_LENGTH
    return _field(name, f"{phrase} {addr_spec}" if fits else f"{phrase}\r\n {addr_spec}")


def machine_field(name: str, value: str) -> bytes:
    """Return a field with a generated value. Raises `ValueError` if the value is not printable ASCII."""
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"not a value of the field {name}")
    return _field(name, value)


def _field(name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode()


def _encoded(text: str, plain: re.Pattern[str]) -> str:
    if len(text) <= MAX_PLAIN_LENGTH and plain.fullmatch(text):
        return text
    return "\r\n ".join(f"=?utf-8?b?{b64encode(chunk).decode()}?=" for chunk in _chunks(text))


def _chunks(text: str) -> Iterator[bytes]:
    """Yield the text as UTF-8 in chunks of whole characters."""
    chunk = b""
    for character in text:
        encoded = character.encode()
        if len(chunk) + len(encoded) > CHUNK_BYTES:
            yield chunk
            chunk = b""
        chunk += encoded
    yield chunk
