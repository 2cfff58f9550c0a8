"""The mails that were written as files, to be read again."""

from __future__ import annotations

import heapq
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from email import message_from_bytes, message_from_string, policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from email.message import EmailMessage, Message
    from pathlib import Path

MOST_LISTED = 100
LARGEST = 1024 * 1024
"""Bytes of a file that is taken for a mail; ours have some thousands."""

MAIL_ID = re.compile(r"\d{8}T\d{6}Z-[a-z_]{1,40}-[0-9a-f]{16}", re.ASCII)
"""What `adapters.mail.files` names its files, without the ending: nothing that could lead to another folder."""

END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
SENSELESS = (LookupError, ValueError, OverflowError, MessageError)
"""What reading a header or a part can raise: it is missing, in no character set that there is, or no date."""


@dataclass(frozen=True)
class Envelope:
    """What a list says of a mail. `written_at` is when its file was, in nanoseconds by the file system's clock."""

    mail_id: str
    to: str
    subject: str
    date: datetime
    written_at: int


@dataclass(frozen=True)
class FiledMail:
    """A mail, with both forms of what it says."""

    envelope: Envelope
    text: str = field(repr=False)
    html: str = field(repr=False)


class Mailbox:
    """Reads what a `FileTransport` wrote to the same folder. A file that is no whole mail counts as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> Sequence[Envelope]:
        """Return the newest mails, the very newest first, 100 at the most."""
        envelopes = [self._envelope(mail_id) for mail_id in heapq.nlargest(MOST_LISTED, self._mail_ids())]
        found = [envelope for envelope in envelopes if envelope is not None]
        return sorted(found, key=lambda envelope: (envelope.date, envelope.written_at), reverse=True)

    def find(self, mail_id: str) -> FiledMail | None:
        """Return a mail, None if there is no such one. The id may be any text."""
        envelope, content = self._envelope(mail_id), self._content(mail_id)
        with suppress(*SENSELESS):
            if envelope is not None and content is not None:
                message = message_from_bytes(content[0], policy=policy.default)
                return FiledMail(envelope, _body(message, "plain"), _body(message, "html"))
        return None

    def _envelope(self, mail_id: str) -> Envelope | None:
        found = self._content(mail_id)
        end = END_OF_HEADERS.search(found[0]) if found is not None else None
        if found is None or end is None:
            return None
        headers = message_from_string(found[0][: end.end()].decode(errors="replace"))
        with suppress(*SENSELESS):
            date = parsedate_to_datetime(headers["Date"] or "")
            return Envelope(mail_id, _line(headers, "To"), _line(headers, "Subject"), date.astimezone(UTC), found[1])
        return None

    def _content(self, mail_id: str) -> tuple[bytes, int] | None:
        """Return what is in a mail's file, and when that was written; None if there is no file that could be one."""
        if not MAIL_ID.fullmatch(mail_id):
            return None
        try:
            with (self._folder / f"{mail_id}.eml").open("rb") as file:
                content = file.read(LARGEST + 1)
                written_at = os.fstat(file.fileno()).st_mtime_ns
        except OSError:
            return None
        return (content, written_at) if len(content) <= LARGEST else None

    def _mail_ids(self) -> list[str]:
        """Return the ids of all files that are named like mails; each begins with its mail's date."""
        try:
            with os.scandir(self._folder) as entries:
                names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        except OSError:  # the folder comes with the first mail
            return []
        ids = (name.removesuffix(".eml") for name in names if name.endswith(".eml"))
        return [mail_id for mail_id in ids if MAIL_ID.fullmatch(mail_id)]


def _line(headers: Message, name: str) -> str:
    """Return a header as people read it. Unlike the policies that check every header, this is quick."""
    value = headers[name]
    if value is None:
        raise LookupError(name)
    return str(make_header(decode_header("".join(value.splitlines()))))


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        raise LookupError(kind)
    return str(part.get_content())
