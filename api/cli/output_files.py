"""Files that commands write. A file has its final name only if it is complete."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import typer

from api.cli.output import report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file readable only by its owner. It replaces `path` at the end, and is named `path`.part until then.

    If the block raises, what was written stays there; an empty file is removed.
    """
    draft = path.with_name(f"{path.name}.part")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        if draft.stat().st_size == 0:
            draft.unlink()
        raise
    draft.replace(path)


@contextmanager
def reporting_write_errors(path: Path | None) -> Iterator[None]:
    """Report in one line why the file cannot be written, and exit with code 1. None means standard output."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) or path is None:
            raise
        report(f"{path}: {error.strerror}")
        raise typer.Exit(1) from None
