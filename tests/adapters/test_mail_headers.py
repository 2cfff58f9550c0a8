"""Mail headers, parsed back from the bytes: hostile names add no fields and no recipients."""

from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from marshmallow import ValidationError

from adapters.mail.files import FileTransport
from adapters.mail.mailbox import Mailbox
from adapters.mail.message import compose, render
from adapters.mail.sender import parse_sender
from api.http.resources.sub_users.schemas import NewSubUser
from application.display_text import one_line
from application.ports.mailing import MailRefused
from tests.adapters.header_parser import decode_words, parse_address, parse_header
from tests.mails import CREDENTIALS_MAIL

if TYPE_CHECKING:
    from pathlib import Path

SENDER = parse_sender("Portal <no-reply@portal.example>")
MAIL = CREDENTIALS_MAIL
FIELDS = ["Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"]
ADDRESS_SPECIALS = re.compile(r'[()<>\[\]:;@\\,"]+')

LOOK_ALIKE = "=?utf-8?q?A=0D=0AReply-To=3A_eve=40evil.example=0D=0A=0D=0Abody?="
NAMES = [
    LOOK_ALIKE,
    f"x {LOOK_ALIKE} y",
    "=?utf-8?b?QQ0KQmNjOiBldmVAZXZpbC5leGFtcGxl?=",
    "=?us-ascii?q?=3D=3Futf-8=3Fq=3FA=3D0D=3D0AX=3A=3F=3D?=",
    "=?utf-8?q?",
    "?=",
    "=?x?q?a?==?x?q?b?=",
    "=?nonsense?z?!?=",
    "N" * 77,
    "N" * 100,
    "é" * 100,
    "株" * 100,
    "👩‍💻" * 33,
    "e\u0301" * 50,
    "م" * 100,
    "\u202e\u05e8\u05d5\u05ea\u202c",
    'Maria "the, boss" <eve@evil.example>;',
    ", eve@evil.example",
    "a: b@evil.example;",
    "(comment) \\ [x]",
    "O'Brien-Smith Jr.",
    "From here",
    "--",
    "a" * 60 + " " + "b" * 39,
]
accepted_names = st.one_of(
    st.sampled_from(NAMES),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=100),
    st.text('=?utf-8qbQB_=0DA3 ,<>@"', min_size=1, max_size=100),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=70, max_size=100),
)


def as_accepted(name: str, surname: str) -> tuple[str, str] | None:
    """Return both names as the API accepts them, or None if it refuses either."""
    try:
        body = NewSubUser().load({"email": "maria.rossi@example.com", "name": name, "surname": surname})
    except ValidationError:
        return None
    return body["name"], body["surname"]


def check_headers(name: str, surname: str, company_name: str) -> None:
    mail = replace(MAIL, name=name, surname=surname, company_name=company_name)
    content = render(mail, SENDER).content
    display_name = one_line(ADDRESS_SPECIALS.sub(" ", f"{name} {surname}"))
    subject = f"Your access to the {one_line(company_name)} account is active"

    header = parse_header(content)
    assert sorted(header.names) == FIELDS
    assert parse_address(header["To"]) == (display_name, MAIL.to)
    assert parse_address(header["From"]) == ("Portal", "no-reply@portal.example")
    assert decode_words(header["Subject"]) == one_line(subject)
    assert header["Message-ID"] == f"<{MAIL.message_id}>"

    legacy: Any = message_from_bytes(content)
    assert sorted(legacy.keys()) == FIELDS
    phrase, addr_spec = parseaddr(legacy["To"])
    assert addr_spec == MAIL.to
    assert str(make_header(decode_header("".join(phrase.splitlines())))) == display_name
    assert str(make_header(decode_header("".join(legacy["Subject"].splitlines())))) == one_line(subject)
    assert [part.get_content_type() for part in legacy.get_payload()] == ["text/plain", "text/html"]

    lines = content.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(map(len, lines)) <= 78


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_hostile_name_does_not_change_the_headers(name: str) -> None:
    """The name is used whole, split over name and surname, and in the subject."""
    assert as_accepted(name, name) is not None
    check_headers(name, "Rossi", "Acme S.r.l.")
    check_headers(name, name, name)
    half = len(name) // 2
    check_headers(name[:half] or "x", name[half:] or "x", name)


@given(name=accepted_names, surname=accepted_names, company_name=accepted_names)
@example(name="=?utf-8?q?A=0D=0AX=3A", surname="_y?=", company_name=LOOK_ALIKE)
def test_accepted_name_does_not_change_the_headers(name: str, surname: str, company_name: str) -> None:
    """Covers any accepted name in each header field that contains it."""
    accepted = as_accepted(name, surname)
    if accepted is not None:
        check_headers(*accepted, company_name)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_hostile_portal_name_does_not_change_the_headers(name: str) -> None:
    """The sender's name, an operator setting, is folded and encoded in the same way."""
    sender = sender_with_name(name)
    header = parse_header(render(MAIL, sender).content)
    assert sorted(header.names) == FIELDS
    assert parse_address(header["From"])[1] == "no-reply@portal.example"


def sender_with_name(name: str) -> Any:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return parse_sender(f'"{quoted}" <no-reply@portal.example>' if name.isprintable() else "no-reply@portal.example")


@pytest.mark.parametrize("local", ["=?utf-8?q?x?=", "=?utf-8?b?eA==?=", "a=?b"])
def test_address_that_looks_like_an_encoded_word_is_refused(local: str) -> None:
    """The API refuses such an address, and rendering refuses one that is already stored."""
    with pytest.raises(ValidationError):
        NewSubUser().load({"email": f"{local}@example.com", "name": "Maria", "surname": "Rossi"})
    with pytest.raises(MailRefused):
        render(replace(MAIL, to=f"{local}@example.com"), SENDER)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_mailbox_shows_a_hostile_name_literally(tmp_path: Path, name: str) -> None:
    """The mailbox decodes recipient and subject; a hostile name adds no other header."""
    FileTransport(tmp_path).send(replace(MAIL, name=name, company_name=name))
    (envelope,) = Mailbox(tmp_path).newest()
    assert envelope.to == f"{one_line(ADDRESS_SPECIALS.sub(' ', f'{name} Rossi'))} <{MAIL.to}>"
    assert envelope.subject == one_line(f"Your access to the {name} account is active")
    assert Mailbox(tmp_path).find(envelope.mail_id) is not None


@pytest.mark.parametrize("error", [ValueError("maria.rossi@example.com"), RuntimeError("secret"), TypeError()])
def test_mail_that_cannot_be_composed_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    """For any exception, neither the reply nor the log quotes the mail."""

    def fail(*_: Any) -> bytes:
        raise error

    monkeypatch.setattr("adapters.mail.message._body", fail)
    with pytest.raises(MailRefused) as caught:
        compose(MAIL, SENDER)
    assert caught.value.reply == "the mail could not be composed"
    assert caught.value.__cause__ is None
    logged = "".join(capsys.readouterr())
    assert "mail.not_composed" in logged
    assert not re.search("maria|secret", logged, re.IGNORECASE)
