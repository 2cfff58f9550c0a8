"""Lengths of time as ISO 8601 has them: P30D, PT36H, or a whole number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta

DURATION = re.compile(
    r"P(?=[\dT])(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9})S)?)?",
    re.ASCII,
)
"""Without years and months, which are of no one length."""

SECONDS = re.compile(r"\d{1,12}", re.ASCII)


def duration(text: str) -> timedelta | None:
    """Return the length of time that a text says, None if it says none."""
    if SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    match = DURATION.fullmatch(text)
    return timedelta(**{unit: int(number) for unit, number in match.groupdict("0").items()}) if match else None
