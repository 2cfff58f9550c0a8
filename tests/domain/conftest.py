"""The domain tests share one helper, whose asserts are to be as telling as their own."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.domain.given_when_then")
