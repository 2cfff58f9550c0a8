"""Mails as files, for running without a mail server."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from datetime import UTC
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.mail.message import render
from adapters.mail.sender import DEFAULT_SENDER, parse_sender
from application.mail import MailDelayed

if TYPE_CHECKING:
    from application.mail import Mail


class FileTransport:
    """Writes each mail as one `.eml` file, readable by its owner only; a repeated mail replaces its own file.

    The folder is created when the first mail is sent. Raises `ValueError` when `sender` is not a mail address.
    """

    def __init__(self, folder: Path, *, sender: str = DEFAULT_SENDER) -> None:
        self._folder = folder
        self._sender = parse_sender(sender)

    def send(self, mail: Mail) -> str:
        """Write the file and return "written to <name>".

        Raises `MailDelayed` when the disk does not take it, `MailRefused` when the recipient's address is not one.
        """
        content = render(mail, self._sender).as_bytes()
        name = _file_name(mail)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._folder / name, content)
        except OSError as error:
            raise MailDelayed(f"cannot write {name}: {error.strerror or error}") from error
        return f"written to {name}"


def _file_name(mail: Mail) -> str:
    """Return a name that sorts by date, is the same at every attempt, and tells nothing personal."""
    digest = sha256(mail.message_id.encode()).hexdigest()[:16]
    return f"{mail.date.astimezone(UTC):%Y%m%dT%H%M%SZ}-{mail.kind}-{digest}.eml"


def _write(path: Path, content: bytes) -> None:
    """Make the file appear whole or not at all, and outlast a power cut once this returns."""
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")  # created with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(unfinished).unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself durable: a file's own fsync does not cover its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
