"""Earliest and latest time at which access can expire."""

from __future__ import annotations

from datetime import UTC, datetime

EARLIEST_EXPIRY = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_EXPIRY = datetime(9999, 12, 30, 23, 59, 59, tzinfo=UTC)
"""A day before the end of Python's calendar, because time zones are up to 14 hours ahead of UTC."""
