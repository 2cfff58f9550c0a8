"""Mails written as files go with whom they were to."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([0-9a-f-]{36})\.(\d{1,18})@", re.MULTILINE | re.IGNORECASE)
"""Whose mail a file is, as `application.mailing` has it: the account, and its version that asked for the mail."""

HEADERS = 8192

Asked = tuple[UUID, int]


class FiledMailsOfErased:
    """Removes files. Which mails were to people of whom nothing may be left is for `erased` to say."""

    def __init__(self, folder: Path, erased: Callable[[Sequence[Asked]], Iterable[Asked]]) -> None:
        self._folder = folder
        self._erased = erased
        self._asked: dict[str, Asked] = {}

    def remove(self) -> int:
        """Remove those there are, and return how many."""
        names = [file.name for file in self._folder.glob("*.eml")] if self._folder.is_dir() else []
        self._asked = {name: asked for name in names if (asked := self._asked.get(name) or self._read(name))}
        gone = set(self._erased(list(set(self._asked.values())))) if self._asked else set()
        removed = [name for name, asked in self._asked.items() if asked in gone]
        for name in removed:
            (self._folder / name).unlink(missing_ok=True)
        return len(removed)

    def _read(self, name: str) -> Asked | None:
        with suppress(OSError), (self._folder / name).open("rb") as file:
            match = MESSAGE_ID.search(file.read(HEADERS))
            with suppress(ValueError):
                return (UUID(match[1].decode()), int(match[2])) if match else None
        return None
