"""Loader of .sql files, in which a line `-- name: …` starts each statement."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

STATEMENT_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def statements(package: str, file: str) -> dict[str, LiteralString]:
    """Return the statements of a file in a package's folder `sql`, by name. Text before the first name is ignored."""
    text = (files(package) / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    parts = STATEMENT_NAME.split(text)[1:]
    return {name: cast("LiteralString", sql.strip()) for name, sql in zip(parts[::2], parts[1::2], strict=True)}
