"""Mailbox: reading mails that the file transport wrote."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from adapters.mail.files import FileTransport
from adapters.mail.mailbox import MAX_MAIL_BYTES, Mailbox
from tests.adapters.test_mail_files import MAIL

if TYPE_CHECKING:
    from pathlib import Path

    from application.mail import Mail


def write_mail(folder: Path, mail: Mail = MAIL) -> str:
    """Write a mail and return its id."""
    return FileTransport(folder).send(mail).removeprefix("written to ").removesuffix(".eml")


def test_mail_is_read_as_written(tmp_path: Path) -> None:
    """Names and companies beyond ASCII survive encoding and folding."""
    mail = replace(MAIL, name="Zoë", surname="d'Àrc " + "long " * 18, company_name="Čapek & Søn " * 8)
    mail_content = Mailbox(tmp_path).find(write_mail(tmp_path, mail))
    assert mail_content is not None
    assert mail.to in mail_content.envelope.to
    assert f"{mail.name} {mail.surname.strip()}" in mail_content.envelope.to
    assert "Čapek & Søn Čapek & Søn" in mail_content.envelope.subject
    assert "\n" not in mail_content.envelope.subject + mail_content.envelope.to
    assert mail_content.envelope.date == MAIL.date
    assert mail_content.text.count("correct horse battery") == mail_content.html.count("correct horse battery") == 1
    assert "<html" in mail_content.html
    assert "<html" not in mail_content.text


def test_non_ascii_address_is_read(tmp_path: Path) -> None:
    """The headers of such a mail are raw UTF-8."""
    mail_content = Mailbox(tmp_path).find(write_mail(tmp_path, replace(MAIL, to="zoë@example.com")))
    assert mail_content is not None
    assert "zoë@example.com" in mail_content.envelope.to


def test_newest_mail_is_listed_first(tmp_path: Path) -> None:
    """Mails sort by date, and within a second by file modification time."""
    ids = []
    for number in range(105):
        mail = replace(MAIL, date=MAIL.date + timedelta(seconds=number // 2), message_id=f"{number}@x")
        ids.append(write_mail(tmp_path, mail))
        os.utime(tmp_path / f"{ids[-1]}.eml", ns=(number, number))
    listed = [envelope.mail_id for envelope in Mailbox(tmp_path).newest()]
    assert listed[:99] == ids[:-100:-1]
    assert len(listed) == 100


def test_missing_mail_folder_is_an_empty_mailbox(tmp_path: Path) -> None:
    assert Mailbox(tmp_path / "mails").newest() == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\xfe" * 100,
        b"Subject: half a mail",
        b"To: a@b.example\r\nDate: Mon, 16 Nov 2026 20:15:00 +0000\r\n\r\nno subject",
        b"To: a@b.example\r\nSubject: no date\r\n\r\ntext",
        b"To: a@b.example\r\nSubject: odd\r\nDate: some day\r\n\r\ntext",
        b"To: a@b.example\r\nSubject: odd\r\nDate: Fri, 31 Dec 9999 23:00:00 -1200\r\n\r\ntext",
        b"To: a@b.example\r\nSubject: =?no-such?q?x?=\r\nDate: Mon, 16 Nov 2026 20:15:00 +0000\r\n\r\ntext",
        b"To: a@b.example\r\nSubject: =?utf-8?q?=80?=\r\nDate: Mon, 16 Nov 2026 20:15:00 +0000\r\n\r\ntext",
        b"To: a@b.example\r\nSubject: large\r\nDate: Mon, 16 Nov 2026 20:15:00 +0000\r\n\r\n" + b"x" * MAX_MAIL_BYTES,
    ],
)
def test_invalid_mail_files_are_skipped(tmp_path: Path, content: bytes) -> None:
    """Valid mails are still listed."""
    valid_id = write_mail(tmp_path)
    invalid_id = "20261117T000000Z-activation-0123456789abcdef"
    (tmp_path / f"{invalid_id}.eml").write_bytes(content)
    assert [envelope.mail_id for envelope in Mailbox(tmp_path).newest()] == [valid_id]
    assert Mailbox(tmp_path).find(invalid_id) is None


@pytest.mark.parametrize("headers", [b"Content-Type: text/plain; charset=no-such", b"Content-Type: text/html"])
def test_mail_without_text_and_html_parts_is_not_found(tmp_path: Path, headers: bytes) -> None:
    """The service only writes mails with a text and an HTML part."""
    mail_id = "20261117T000000Z-activation-0123456789abcdef"
    envelope = b"To: a@b.example\r\nSubject: one form\r\nDate: Mon, 16 Nov 2026 20:15:00 +0000\r\n"
    (tmp_path / f"{mail_id}.eml").write_bytes(envelope + headers + b"\r\n\r\ntext")
    assert Mailbox(tmp_path).find(mail_id) is None


def test_only_regular_files_with_mail_names_are_mails(tmp_path: Path) -> None:
    """Temporary files, other names, folders and symbolic links are ignored."""
    folder = tmp_path / "mails"
    mail_id = write_mail(folder)
    mail = (folder / f"{mail_id}.eml").read_bytes()
    for name in (f".{mail_id}.tmp", f"{mail_id}.txt", "a.eml", f"{mail_id}\n.eml", f"x{mail_id}.eml"):
        (folder / name).write_bytes(mail)
    (folder / "20261117T000000Z-activation-0123456789abcdef.eml").mkdir()
    (tmp_path / "outside.eml").write_bytes(mail)
    (folder / "20261118T000000Z-activation-0123456789abcdef.eml").symlink_to(tmp_path / "outside.eml")
    assert [envelope.mail_id for envelope in Mailbox(folder).newest()] == [mail_id]
    assert Mailbox(folder).find("20261117T000000Z-activation-0123456789abcdef") is None


@pytest.mark.parametrize(
    "mail_id",
    ["", ".", "..", "../outside", "/etc/passwd", "a\0b", "\ud800", "x" * 100_000, "20261116T201500Z-activation-\u0660"],
)
def test_mail_id_cannot_escape_the_mail_folder(tmp_path: Path, mail_id: str) -> None:
    (tmp_path / "outside.eml").write_bytes(b"To: a@b.example")
    assert Mailbox(tmp_path / "mails").find(mail_id) is None
