"""Mail transport that writes files, for use without a mail server."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from datetime import UTC
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.mail.message import DEFAULT_BRANDING, compose
from adapters.mail.sender import DEFAULT_SENDER, parse_sender
from application.ports.mailing import MailDelayed

if TYPE_CHECKING:
    from adapters.mail.branding import Branding
    from application.mail import Mail


class FileTransport:
    """Writes each mail to an `.eml` file that only its owner can read. A repeated mail replaces its file.

    The folder is created when the first mail is sent. Raises `ValueError` if `sender` is not a mail address.
    """

    def __init__(self, folder: Path, *, sender: str = DEFAULT_SENDER, branding: Branding = DEFAULT_BRANDING) -> None:
        self._folder = folder
        self._sender = parse_sender(sender)
        self._branding = branding

    def send(self, mail: Mail) -> str:
        """Write the file, and return the text "written to <name>".

        Raises `MailDelayed` if the file cannot be written, `MailRefused` if the message cannot be composed.
        """
        content = compose(mail, self._sender, self._branding).content
        name = _file_name(mail)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._folder / name, content)
        except OSError as error:
            raise MailDelayed(f"cannot write {name}: {error.strerror or error}") from error
        return f"written to {name}"


def _file_name(mail: Mail) -> str:
    """Return a name that sorts by date, is the same for every attempt, and contains no personal data."""
    digest = sha256(mail.message_id.encode()).hexdigest()[:16]
    return f"{mail.date.astimezone(UTC):%Y%m%dT%H%M%SZ}-{mail.kind}-{digest}.eml"


def _write(path: Path, content: bytes) -> None:
    """Write a file atomically and durably."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")  # created with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder durable. The file's fsync does not cover its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
