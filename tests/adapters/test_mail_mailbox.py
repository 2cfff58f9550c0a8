"""Reading the mails that were written as files."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from adapters.mail.files import FileTransport
from adapters.mail.mailbox import LARGEST, Mailbox
from tests.adapters.test_mail_files import MAIL

if TYPE_CHECKING:
    from pathlib import Path

    from application.mail import Mail


def written(folder: Path, mail: Mail = MAIL) -> str:
    """Write a mail, and return its id."""
    return FileTransport(folder).send(mail).removeprefix("written to ").removesuffix(".eml")


def test_a_mail_is_read_as_it_was_written(tmp_path: Path) -> None:
    """With all that names outside of ASCII do to headers and bodies."""
    mail = replace(MAIL, name="Zoë", surname="d'Àrc " + "long " * 18, company_name="Čapek & Søn " * 8)
    found = Mailbox(tmp_path).find(written(tmp_path, mail))
    assert found is not None
    assert mail.to in found.envelope.to
    assert f"{mail.name} {mail.surname.strip()}" in found.envelope.to
    assert "Čapek & Søn Čapek & Søn" in found.envelope.subject
    assert "\n" not in found.envelope.subject + found.envelope.to
    assert found.envelope.date == MAIL.date
    assert found.text.count("correct horse battery") == found.html.count("correct horse battery") == 1
    assert "<html" in found.html
    assert "<html" not in found.text


def test_an_address_outside_of_ascii_is_read(tmp_path: Path) -> None:
    """Such a mail's headers are UTF-8 themselves."""
    found = Mailbox(tmp_path).find(written(tmp_path, replace(MAIL, to="zoë@example.com")))
    assert found is not None
    assert "zoë@example.com" in found.envelope.to


def test_the_newest_comes_first(tmp_path: Path) -> None:
    """By when it happened; of one and the same second, by when it was written."""
    ids = []
    for number in range(105):
        mail = replace(MAIL, date=MAIL.date + timedelta(seconds=number // 2), message_id=f"{number}@x")
        ids.append(written(tmp_path, mail))
        os.utime(tmp_path / f"{ids[-1]}.eml", ns=(number, number))
    listed = [envelope.mail_id for envelope in Mailbox(tmp_path).newest()]
    assert listed[:99] == ids[:-100:-1]
    assert len(listed) == 100


def test_where_no_mail_was_ever_written_there_is_none(tmp_path: Path) -> None:
    """The folder comes with the first one."""
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
        b"To: a@b.example\r\nSubject: large\r\nDate: Mon, 16 Nov 2026 20:15:00 +0000\r\n\r\n" + b"x" * LARGEST,
    ],
)
def test_what_is_no_mail_is_passed_over(tmp_path: Path, content: bytes) -> None:
    """The others are listed as ever."""
    whole = written(tmp_path)
    broken = "20261117T000000Z-activation-0123456789abcdef"
    (tmp_path / f"{broken}.eml").write_bytes(content)
    assert [envelope.mail_id for envelope in Mailbox(tmp_path).newest()] == [whole]
    assert Mailbox(tmp_path).find(broken) is None


@pytest.mark.parametrize("headers", [b"Content-Type: text/plain; charset=no-such", b"Content-Type: text/html"])
def test_a_mail_without_both_forms_cannot_be_opened(tmp_path: Path, headers: bytes) -> None:
    """None of ours is like that."""
    mail_id = "20261117T000000Z-activation-0123456789abcdef"
    envelope = b"To: a@b.example\r\nSubject: one form\r\nDate: Mon, 16 Nov 2026 20:15:00 +0000\r\n"
    (tmp_path / f"{mail_id}.eml").write_bytes(envelope + headers + b"\r\n\r\ntext")
    assert Mailbox(tmp_path).find(mail_id) is None


def test_only_files_named_like_mails_are_mails(tmp_path: Path) -> None:
    """No draft, no folder, no link to somewhere else."""
    folder = tmp_path / "mails"
    mail_id = written(folder)
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
def test_no_id_leads_out_of_the_folder(tmp_path: Path, mail_id: str) -> None:
    """Whatever it is."""
    (tmp_path / "outside.eml").write_bytes(b"To: a@b.example")
    assert Mailbox(tmp_path / "mails").find(mail_id) is None
