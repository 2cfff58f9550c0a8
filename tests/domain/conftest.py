"""Pytest configuration of the domain tests."""

from __future__ import annotations

import pytest

# Otherwise only the assertions in test modules would show the compared values.
pytest.register_assert_rewrite("tests.domain.given_when_then")
