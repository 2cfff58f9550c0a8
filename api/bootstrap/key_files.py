"""Files with generated keys, readable only by their owner."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def create(file: Path, text: str) -> None:
    """Create a file atomically, with its folder. If another process was first, its file stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = _write_draft(file, text)
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def replace(file: Path, text: str) -> None:
    """Replace a file atomically."""
    _write_draft(file, text).replace(file)


def _write_draft(file: Path, text: str) -> Path:
    draft = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    return draft
