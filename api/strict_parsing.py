"""Strict parsing of integers, decimals and UUIDs: ASCII only, of bounded length.

Python's own parsers also accept the digits of other scripts, underscores and surrounding white space.
"""

from __future__ import annotations

import math
import re
from uuid import UUID

INTEGER = re.compile(r"-?[0-9]{1,19}")
"""19 digits are enough for every position, which has 63 bits."""

POSITION = re.compile(r"[0-9]{1,19}")
MAX_POSITION = 2**63 - 1
"""Positions are of PostgreSQL's type bigint."""

DECIMAL = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def parse_integer(text: str) -> int:
    """Parse an integer. Raises ValueError."""
    if not INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def parse_position(text: str) -> int:
    """Parse a position in the event store. Raises ValueError."""
    if not POSITION.fullmatch(text) or int(text) > MAX_POSITION:
        raise ValueError(text)
    return int(text)


def parse_decimal(text: str) -> float:
    """Parse a number with optional decimals and exponent. Raises ValueError, also for one outside a float's range."""
    if not DECIMAL.fullmatch(text):
        raise ValueError(text)
    number = parse_json_float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def parse_json_float(text: str) -> float:
    """Return the float of a JSON number.

    A number outside a float's range becomes infinite if it is too large, and NaN if it would be rounded to zero. The
    fields of requests refuse both.
    """
    number = float(text)
    if number == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        return math.nan
    return number


def parse_id(text: str) -> UUID:
    """Parse an id in the form of RFC 9562, such as 3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11. Raises ValueError."""
    if not ID.fullmatch(text):
        raise ValueError(text)
    return UUID(text)
