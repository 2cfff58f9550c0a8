"""Durations in settings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.presentation.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta()),
        ("3600", timedelta(hours=1)),
        ("P30D", timedelta(days=30)),
        ("P2W1D", timedelta(days=15)),
        ("PT36H", timedelta(hours=36)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
    ],
)
def test_valid_durations(text: str, expected: timedelta) -> None:
    """Seconds, or an ISO 8601 duration of fixed length."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "P1Y", "P1M", "30D", "-1", "1.5", "P-1D", "p1d", "٣", "P1H"])
def test_invalid_durations(text: str) -> None:
    """Months and years have no fixed length."""
    assert parse_duration(text) is None
