"""Durations in ISO 8601 format (P30D, PT36H) or as a whole number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta

DURATION = re.compile(
    r"P(?=[\dT])(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9})S)?)?",
    re.ASCII,
)
"""ISO 8601 durations without years and months, whose length varies."""

SECONDS = re.compile(r"\d{1,12}", re.ASCII)


def parse_duration(text: str) -> timedelta | None:
    """Parse a duration. Return None if the text is not one."""
    if SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    match = DURATION.fullmatch(text)
    return timedelta(**{unit: int(number) for unit, number in match.groupdict("0").items()}) if match else None
