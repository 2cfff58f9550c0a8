"""Reader of mails that were written to files."""

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

from adapters.mail.mailbox_token import MailboxToken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from email.message import EmailMessage, Message
    from pathlib import Path

TOKEN_FILE = "mailbox-token"
"""Name of the token's file, in the parent of the mail folder."""

MAX_LISTED = 100
MAX_MAIL_BYTES = 1024 * 1024
"""Larger files are ignored. The service's mails have some thousand bytes."""

MAIL_ID = re.compile(r"\d{8}T\d{6}Z-[a-z_]{1,40}-[0-9a-f]{16}", re.ASCII)
"""File name given by `adapters.mail.files`, without extension. It cannot contain a path to another folder."""

END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
PARSE_ERRORS = (LookupError, ValueError, OverflowError, MessageError)
"""Errors of headers or parts that are missing, have an unknown character set, or are not a date."""


@dataclass(frozen=True)
class Envelope:
    """Header data of a mail, and the modification time of its file in nanoseconds since the epoch."""

    mail_id: str
    to: str
    subject: str
    date: datetime
    modified_at_ns: int


@dataclass(frozen=True)
class FiledMail:
    """A mail with its text and HTML parts."""

    envelope: Envelope
    text: str = field(repr=False)
    html: str = field(repr=False)


class Mailbox:
    """Reads the mails that a `FileTransport` wrote to the same folder. Incomplete files are ignored."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.token = MailboxToken(folder.with_name(TOKEN_FILE))

    def newest(self) -> Sequence[Envelope]:
        """Return up to `MAX_LISTED` mails, newest first."""
        envelopes = [self._envelope(mail_id) for mail_id in heapq.nlargest(MAX_LISTED, self._mail_ids())]
        readable = [envelope for envelope in envelopes if envelope is not None]
        return sorted(readable, key=lambda envelope: (envelope.date, envelope.modified_at_ns), reverse=True)

    def find(self, mail_id: str) -> FiledMail | None:
        """Return a mail, or None if it does not exist. The id can be untrusted text."""
        envelope, file_content = self._envelope(mail_id), self._read(mail_id)
        with suppress(*PARSE_ERRORS):
            if envelope is not None and file_content is not None:
                message = message_from_bytes(file_content[0], policy=policy.default)
                return FiledMail(envelope, _body(message, "plain"), _body(message, "html"))
        return None

    def _envelope(self, mail_id: str) -> Envelope | None:
        file_content = self._read(mail_id)
        if file_content is None:
            return None
        content, modified_at_ns = file_content
        end = END_OF_HEADERS.search(content)
        if end is None:
            return None
        headers = message_from_string(content[: end.end()].decode(errors="replace"))
        with suppress(*PARSE_ERRORS):
            date = parsedate_to_datetime(headers["Date"] or "")
            return Envelope(
                mail_id,
                _decoded_header(headers, "To"),
                _decoded_header(headers, "Subject"),
                date.astimezone(UTC),
                modified_at_ns,
            )
        return None

    def _read(self, mail_id: str) -> tuple[bytes, int] | None:
        """Return the content of a mail's file and its modification time; None if the file is missing or too large."""
        if not MAIL_ID.fullmatch(mail_id):
            return None
        try:
            with (self._folder / f"{mail_id}.eml").open("rb") as file:
                content = file.read(MAX_MAIL_BYTES + 1)
                modified_at_ns = os.fstat(file.fileno()).st_mtime_ns
        except OSError:
            return None
        return (content, modified_at_ns) if len(content) <= MAX_MAIL_BYTES else None

    def _mail_ids(self) -> list[str]:
        """Return the ids of all mails. An id starts with the mail's date."""
        try:
            with os.scandir(self._folder) as entries:
                names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        except OSError:  # the first mail creates the folder
            return []
        ids = (name.removesuffix(".eml") for name in names if name.endswith(".eml"))
        return [mail_id for mail_id in ids if MAIL_ID.fullmatch(mail_id)]


def _decoded_header(headers: Message, name: str) -> str:
    """Return the text of a header. This is faster than a policy of `email`, which parses all headers."""
    value = headers[name]
    if value is None:
        raise LookupError(name)
    return str(make_header(decode_header("".join(value.splitlines()))))


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        raise LookupError(kind)
    return str(part.get_content())
