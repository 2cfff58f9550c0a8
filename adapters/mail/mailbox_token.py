"""Access token of the embedded mode's mailbox, stored in the data folder."""

from __future__ import annotations

import os
import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_BYTES = 32


class MailboxToken:
    """A random token in a file that only its owner may read. The first read creates it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._file)!r})"

    def read(self) -> str:
        """Return the token."""
        if not self._file.exists():
            self._create()
        return self._file.read_text(encoding="ascii").strip()

    def matches(self, token: str) -> bool:
        """Return whether a text equals the token, in constant time."""
        return compare_digest(self.read().encode(), token.encode("utf-8", "surrogatepass"))

    def _create(self) -> None:
        """Write a token atomically, unless another process has done so."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._file.with_name(f".{self._file.name}.{os.getpid()}-{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(TOKEN_BYTES))
            try:
                os.link(draft, self._file)
            except FileExistsError:
                return
        finally:
            draft.unlink()
