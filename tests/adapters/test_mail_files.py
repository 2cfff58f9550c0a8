"""File transport: mails written to a folder."""

from __future__ import annotations

import stat
from dataclasses import replace
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import pytest

from adapters.mail.files import FileTransport
from application.ports.mailing import MailDelayed, MailRefused
from tests.mails import CREDENTIALS_MAIL

if TYPE_CHECKING:
    from pathlib import Path

    from application.ports.mailing import MailTransport

MAIL = replace(CREDENTIALS_MAIL, message_id="0f9d2c4e@portal.example", language="it")


def test_mail_is_written_as_one_file(tmp_path: Path) -> None:
    """The reply names the file, which is a standard message."""
    transport: MailTransport = FileTransport(tmp_path / "mails", sender="Portal <no-reply@portal.example>")
    reply = transport.send(MAIL)
    (file,) = (tmp_path / "mails").iterdir()
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert reply == f"written to {file.name}"
    assert message["Message-ID"] == "<0f9d2c4e@portal.example>"
    assert message["From"] == "Portal <no-reply@portal.example>"


def test_mail_files_are_private_to_the_owner(tmp_path: Path) -> None:
    """Mails may hold a password, so file and folder are private to the service's user."""
    folder = tmp_path / "data" / "mails"
    FileTransport(folder).send(MAIL)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_repeated_mail_replaces_its_file(tmp_path: Path) -> None:
    transport = FileTransport(tmp_path)
    first = transport.send(MAIL)
    second = transport.send(replace(MAIL, company_name="Acme S.p.A."))
    (file,) = tmp_path.iterdir()
    assert first == second
    assert b"Acme S.p.A." in file.read_bytes()


def test_mail_files_sort_by_date(tmp_path: Path) -> None:
    """Mails of the same date have different file names."""
    transport = FileTransport(tmp_path)
    mails = [replace(MAIL, date=MAIL.date.replace(year=year), message_id=f"{year}@x") for year in (2028, 2026, 2027)]
    names = [transport.send(mail).removeprefix("written to ") for mail in mails]
    transport.send(replace(MAIL, message_id="another@x"))
    assert sorted(names) == [names[1], names[2], names[0]]
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("message_id", ["../../etc/passwd", "/etc/passwd", "a" * 900])
def test_message_id_cannot_escape_the_mail_folder(tmp_path: Path, message_id: str) -> None:
    """The file name contains a hash of the Message-ID, never its text."""
    FileTransport(tmp_path / "mails").send(replace(MAIL, message_id=message_id))
    assert len(list((tmp_path / "mails").iterdir())) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "mails"]


def test_file_system_error_delays_the_mail(tmp_path: Path) -> None:
    """The operator can fix the disk, so the mail is retried."""
    (tmp_path / "mails").write_text("in the way")
    with pytest.raises(MailDelayed, match=r"^cannot write 20261116T201500Z-activation-[0-9a-f]{16}\.eml: File exists$"):
        FileTransport(tmp_path / "mails").send(MAIL)


def test_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    """The temporary file is deleted if it cannot be renamed."""
    transport = FileTransport(tmp_path)
    name = transport.send(MAIL).removeprefix("written to ")
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(MailDelayed):
        transport.send(MAIL)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_creating_a_file_transport_creates_no_folder(tmp_path: Path) -> None:
    """The folder is created with the first mail, but an invalid sender is refused at once."""
    FileTransport(tmp_path / "mails")
    assert not (tmp_path / "mails").exists()
    with pytest.raises(ValueError, match="sender of mails"):
        FileTransport(tmp_path / "mails", sender="nobody")


def test_file_transport_refuses_an_invalid_recipient(tmp_path: Path) -> None:
    with pytest.raises(MailRefused):
        FileTransport(tmp_path).send(replace(MAIL, to="nobody"))
