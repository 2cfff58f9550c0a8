"""SQL lives in .sql files, each statement named and described; this reads them."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

NAMED = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def statements(package: str, file: str) -> dict[str, LiteralString]:
    """Return the statements of a file in a package's `sql` folder, by name."""
    text = (files(package) / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    parts = NAMED.split(text)[1:]
    return {name: cast("LiteralString", sql.strip()) for name, sql in zip(parts[::2], parts[1::2], strict=True)}
