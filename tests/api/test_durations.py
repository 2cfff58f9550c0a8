"""Lengths of time in settings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.durations import duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0", timedelta()),
        ("3600", timedelta(hours=1)),
        ("P30D", timedelta(days=30)),
        ("P2W1D", timedelta(days=15)),
        ("PT36H", timedelta(hours=36)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
    ],
)
def test_what_is_a_length_of_time(text: str, length: timedelta) -> None:
    """Seconds, or what ISO 8601 has of fixed length."""
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "P1Y", "P1M", "30D", "-1", "1.5", "P-1D", "p1d", "٣", "P1H"])
def test_what_is_none(text: str) -> None:
    """Months and years are of no one length."""
    assert duration(text) is None
