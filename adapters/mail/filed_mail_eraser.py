"""Deletion of filed mails to erased recipients."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([0-9a-f-]{36})\.(\d{1,18})@", re.MULTILINE | re.IGNORECASE)
"""Message-ID as made by `application.workers.mailer`: the account, and the account's version that caused the mail."""

HEADER_BYTES = 8192

MailKey = tuple[UUID, int]
"""Account id, and the account's version that caused the mail."""


class FiledMailEraser:
    """Deletes `.eml` files. `filter_erased` returns those of the given mails whose recipient has been erased."""

    def __init__(self, folder: Path, filter_erased: Callable[[Sequence[MailKey]], Iterable[MailKey]]) -> None:
        self._folder = folder
        self._filter_erased = filter_erased
        self._keys_by_name: dict[str, MailKey] = {}

    def delete_erased(self) -> int:
        """Delete the mails to erased recipients, and return the number of deleted files."""
        names = [file.name for file in self._folder.glob("*.eml")] if self._folder.is_dir() else []
        self._keys_by_name = {
            name: mail_key for name in names if (mail_key := self._keys_by_name.get(name) or self._read_key(name))
        }
        erased_keys = set(self._filter_erased(list(set(self._keys_by_name.values())))) if self._keys_by_name else set()
        erased_names = [name for name, mail_key in self._keys_by_name.items() if mail_key in erased_keys]
        for name in erased_names:
            (self._folder / name).unlink(missing_ok=True)
        return len(erased_names)

    def _read_key(self, name: str) -> MailKey | None:
        with suppress(OSError), (self._folder / name).open("rb") as file:
            match = MESSAGE_ID.search(file.read(HEADER_BYTES))
            with suppress(ValueError):
                return (UUID(match[1].decode()), int(match[2])) if match else None
        return None
