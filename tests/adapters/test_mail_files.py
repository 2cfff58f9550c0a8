"""Mails as files."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import pytest

from adapters.mail.files import FileTransport
from application.mail import Mail, MailDelayed, MailKind, MailRefused

if TYPE_CHECKING:
    from pathlib import Path

    from application.mail import MailTransport

MAIL = Mail(
    message_id="0f9d2c4e@portal.example",
    kind=MailKind.ACTIVATION,
    language="it",
    to="maria.rossi@example.com",
    name="Maria",
    surname="Rossi",
    account_email="owner@acme.example",
    company_name="Acme S.r.l.",
    login_url="https://portal.example/login",
    date=datetime(2026, 11, 16, 20, 15, tzinfo=UTC),
    password="correct horse battery",
    password_expires_at=datetime(2026, 11, 23, 20, 15, tzinfo=UTC),
)


def test_a_mail_becomes_one_readable_file(tmp_path: Path) -> None:
    """The reply names the file, and any mail program can open it."""
    transport: MailTransport = FileTransport(tmp_path / "mails", sender="Portal <no-reply@portal.example>")
    reply = transport.send(MAIL)
    (file,) = (tmp_path / "mails").iterdir()
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert reply == f"written to {file.name}"
    assert message["Message-ID"] == "<0f9d2c4e@portal.example>"
    assert message["From"] == "Portal <no-reply@portal.example>"


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    """A file that holds a password is for the service's own user, and so is the folder made for it."""
    folder = tmp_path / "data" / "mails"
    FileTransport(folder).send(MAIL)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_repeating_a_mail_replaces_its_file(tmp_path: Path) -> None:
    """A second attempt at the same mail leaves one file, with what was sent last."""
    transport = FileTransport(tmp_path)
    first = transport.send(MAIL)
    second = transport.send(replace(MAIL, company_name="Acme S.p.A."))
    (file,) = tmp_path.iterdir()
    assert first == second
    assert b"Acme S.p.A." in file.read_bytes()


def test_files_sort_by_date(tmp_path: Path) -> None:
    """The folder lists mails in the order in which things happened, and different mails stay apart."""
    transport = FileTransport(tmp_path)
    mails = [replace(MAIL, date=MAIL.date.replace(year=year), message_id=f"{year}@x") for year in (2028, 2026, 2027)]
    names = [transport.send(mail).removeprefix("written to ") for mail in mails]
    transport.send(replace(MAIL, message_id="another@x"))
    assert sorted(names) == [names[1], names[2], names[0]]
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("message_id", ["../../etc/passwd", "/etc/passwd", "a" * 900])
def test_no_message_id_leads_out_of_the_folder(tmp_path: Path, message_id: str) -> None:
    """The file's name is made from the Message-ID, never taken from it."""
    FileTransport(tmp_path / "mails").send(replace(MAIL, message_id=message_id))
    assert len(list((tmp_path / "mails").iterdir())) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "mails"]


def test_a_disk_that_refuses_delays_the_mail(tmp_path: Path) -> None:
    """What the operator can mend is worth another attempt."""
    (tmp_path / "mails").write_text("in the way")
    with pytest.raises(MailDelayed, match=r"^cannot write 20261116T201500Z-activation-[0-9a-f]{16}\.eml: File exists$"):
        FileTransport(tmp_path / "mails").send(MAIL)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    """When the finished file cannot take its place, the unfinished one goes too."""
    transport = FileTransport(tmp_path)
    name = transport.send(MAIL).removeprefix("written to ")
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(MailDelayed):
        transport.send(MAIL)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_making_a_transport_touches_nothing(tmp_path: Path) -> None:
    """The folder appears with the first mail; a bad sender is known at once."""
    FileTransport(tmp_path / "mails")
    assert not (tmp_path / "mails").exists()
    with pytest.raises(ValueError, match="sender of mails"):
        FileTransport(tmp_path / "mails", sender="nobody")


def test_a_bad_recipient_is_refused_here_too(tmp_path: Path) -> None:
    """Without a mail server, the same addresses are refused as with one."""
    with pytest.raises(MailRefused):
        FileTransport(tmp_path).send(replace(MAIL, to="nobody"))
