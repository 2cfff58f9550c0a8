"""Problem types in the code: those of refusals, of errors, and those that routes raise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from application import errors
from domain import refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]


def problem_codes() -> Iterator[str]:
    for module in (refusals, errors):
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and hasattr(value, "code")
                and value not in {refusals.Refusal, errors.ServiceError}
            ):
                yield value.code
    for file in (ROOT / "api" / "http").rglob("*.py"):
        yield from re.findall(r'Problem\(\s*(?:HTTPStatus\.[A-Z_]+|status),\s+"([a-z-]+)"', file.read_text())
