"""What the mails to sub-users look like."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from adapters.mail.message import render, written_date
from adapters.mail.sender import parse_sender
from application.mail import Mail, MailKind, MailRefused

if TYPE_CHECKING:
    from email.message import EmailMessage

SENDER = parse_sender("Portal <no-reply@portal.example>")
MAIL = Mail(
    message_id="0f9d2c4e-activation@portal.example",
    kind=MailKind.ACTIVATION,
    language="en",
    to="maria.rossi@example.com",
    name="Maria",
    surname="Rossi",
    account_email="owner@acme.example",
    company_name="Acme S.r.l.",
    login_url="https://portal.example/login?as=sub-user&lang=en",
    date=datetime(2026, 11, 16, 20, 15, tzinfo=UTC),
    password="correct horse battery",
    password_expires_at=datetime(2026, 11, 23, 20, 15, tzinfo=UTC),
)
ACCESS_KINDS = [kind for kind in MailKind if kind is not MailKind.PASSWORD_CHANGED]
LANGUAGES = ["en", "it"]
HARD_NAMES = ["Eve\r\nBcc: eve@evil.example", "Eve\nX-Evil: yes", "Eve\r\n\r\nbody", "Eve\x00\x0b\x0c\x1c\x85\u2028y"]
HARD_PASSWORDS = [
    "<&>\"'&lt;&amp;<b>bold</b>",
    "{{ 7 * 7 }}{% raw %}",
    "From here to eternity",
    ".leading.period.here",
    "  two  spaces  around  ",
    "=3D=20=\u00e0\u2026\u6f22\u5b57\U0001f642",
    "a" * 128,
    "\u6f22" * 128,
    "-- \u00c5ngstr\u00f6m, 100% fi->l1I0O",
]


class Reader(HTMLParser):
    """Reads an HTML mail as a person does: the text, and apart from it what is set in `<code>`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = self.code = ""
        self.attributes: list[tuple[str, str | None]] = []
        self._in_code = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_code = self._in_code or tag == "code"
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        self._in_code = self._in_code and tag != "code"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_code:
            self.code += data


def received(mail: Mail) -> EmailMessage:
    """Return the message as the recipient's mail program has it."""
    return message_from_bytes(render(mail, SENDER).as_bytes(), policy=policy.default)


def parts(mail: Mail) -> tuple[str, Reader]:
    text, html = received(mail).iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return text.get_content(), Reader(html.get_content())


def of_kind(kind: MailKind, language: str) -> Mail:
    mail = replace(MAIL, kind=kind, language=language)
    return mail if kind in ACCESS_KINDS else replace(mail, password=None, password_expires_at=None)


def test_headers_say_who_what_when() -> None:
    """The headers are those of the mail, and tell machines that no person wrote it."""
    message = received(MAIL)
    assert message["From"] == "Portal <no-reply@portal.example>"
    assert message["To"] == "Maria Rossi <maria.rossi@example.com>"
    assert message["Subject"] == "Your access to the Acme S.r.l. account is active"
    assert message["Date"].datetime == MAIL.date
    assert message["Message-ID"] == "<0f9d2c4e-activation@portal.example>"
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_long_message_id_is_not_folded_away() -> None:
    """The Message-ID stays recognizable, however long the host's name."""
    message_id = f"{'a' * 100}@portal.example"
    assert f"Message-ID: <{message_id}>\r\n".encode() in render(replace(MAIL, message_id=message_id), SENDER).as_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ACCESS_KINDS)
def test_access_data_is_complete(kind: MailKind, language: str) -> None:
    """Rule 3: both parts say where and how to log in, with what, and until when."""
    text, html = parts(of_kind(kind, language))
    expires = {"en": "23 November 2026, 20:15 UTC", "it": "23 novembre 2026, 20:15 UTC"}[language]
    for wanted in (MAIL.account_email, MAIL.to, MAIL.login_url, "SUB-USER", "Acme S.r.l.", "Maria Rossi", expires):
        assert wanted in text
        assert wanted in html.text
    assert "correct horse battery" in text.splitlines()
    assert html.code == "correct horse battery"
    assert ("href", MAIL.login_url) in html.attributes


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_of_a_changed_password_carries_none(language: str) -> None:
    """The notice says when it happened and whom to tell, and holds no password even if it was given one."""
    text, html = parts(replace(MAIL, kind=MailKind.PASSWORD_CHANGED, language=language))
    happened = {"en": "16 November 2026, 20:15 UTC", "it": "16 novembre 2026, 20:15 UTC"}[language]
    for part in (text, html.text):
        assert happened in part
        assert MAIL.account_email in part
        assert "correct horse" not in part


def test_every_mail_reads_differently() -> None:
    """No two kinds or languages share a subject or an opening."""
    mails = [of_kind(kind, language) for kind in MailKind for language in LANGUAGES]
    assert len({received(mail)["Subject"] for mail in mails}) == len(mails)
    assert len({parts(mail)[0].splitlines()[2] for mail in mails}) == len(mails)


@pytest.mark.parametrize("password", HARD_PASSWORDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_password_comes_out_exactly(password: str, language: str) -> None:
    """Markup, template syntax, spaces, any script: what was set is what can be copied, from both parts."""
    text, html = parts(replace(MAIL, password=password, language=language))
    assert password in text.splitlines()
    assert html.code == password


@pytest.mark.parametrize("password", ["From here to eternity", ".leading.period.here"])
def test_a_password_is_safe_from_careless_mail_software(password: str) -> None:
    """No line on the wire opens with what mailboxes and relays are known to alter."""
    lines = render(replace(MAIL, password=password), SENDER).as_bytes().split(b"\r\n")
    assert not [line for line in lines[lines.index(b"") :] if line.startswith((b"From ", b"."))]


@pytest.mark.parametrize("hard", HARD_NAMES)
@pytest.mark.parametrize("field", ["name", "surname", "company_name"])
def test_names_cannot_inject(hard: str, field: str) -> None:
    """A name with line ends adds no header, no recipient and no line of text."""
    plain, crafted = received(MAIL), received(replace(MAIL, **{field: hard}))  # type: ignore[arg-type]
    assert crafted.keys() == plain.keys()
    assert [address.addr_spec for address in crafted["To"].addresses] == [MAIL.to]
    text, _ = parts(replace(MAIL, **{field: hard}))  # type: ignore[arg-type]
    assert len(text.splitlines()) == len(parts(MAIL)[0].splitlines())


def test_names_cannot_write_html() -> None:
    """Markup in a name is shown, not obeyed."""
    _, html = parts(replace(MAIL, name="<script>alert(1)</script>", company_name="A<b>&B"))
    assert "<script>alert(1)</script>" in html.text
    assert "A<b>&B" in html.text


def test_names_of_any_script_arrive() -> None:
    """Names and companies beyond ASCII are readable in headers and parts."""
    mail = replace(MAIL, name="Łucja", surname="Müller-Núñez", company_name="株式会社 Caffè & Figli")
    text, html = parts(mail)
    assert received(mail)["To"].addresses[0].display_name == "Łucja Müller-Núñez"
    assert "株式会社 Caffè & Figli" in received(mail)["Subject"]
    assert "Hello Łucja Müller-Núñez," in text
    assert "株式会社 Caffè & Figli" in html.text


def test_an_address_beyond_ascii_is_kept() -> None:
    """An address whose local part is not ASCII goes out as UTF-8 (RFC 6532), not as something unanswerable."""
    assert (
        "To: Maria Rossi <märia@example.com>\r\n".encode()
        in render(replace(MAIL, to="märia@example.com"), SENDER).as_bytes()
    )


def test_html_fetches_nothing() -> None:
    """Opening a mail tells nobody: no image, style sheet, font or script from elsewhere."""
    for mail in (of_kind(kind, language) for kind in MailKind for language in LANGUAGES):
        _, html = parts(mail)
        assert not [name for name, _ in html.attributes if name in ("src", "srcset", "background")]
        assert {value for name, value in html.attributes if name == "href"} <= {
            MAIL.login_url,
            f"mailto:{MAIL.account_email}",
        }
        assert not [value for _, value in html.attributes if value and "url(" in value]


def test_without_an_expiry_none_is_mentioned() -> None:
    """A temporary password that does not expire is not said to."""
    text, html = parts(replace(MAIL, password_expires_at=None))
    assert "expires" not in text + html.text


def test_a_bad_recipient_is_refused_for_good() -> None:
    """An impossible address is a refusal to record, not an error to stop at; the reply does not repeat it."""
    with pytest.raises(MailRefused) as caught:
        render(replace(MAIL, to="maria rossi@example.com"), SENDER)
    assert caught.value.reply == "the recipient's address is not a mail address"


def test_senseless_mails_are_errors() -> None:
    """A mail that should carry a password and has none, or an unknown language, is a mistake of the caller."""
    with pytest.raises(ValueError, match="needs a password"):
        render(replace(MAIL, password=None), SENDER)
    with pytest.raises(ValueError, match="language: 'fr'"):
        render(replace(MAIL, language="fr"), SENDER)


@pytest.mark.parametrize(
    ("month", "language", "expected"), [(1, "en", "January"), (12, "en", "December"), (8, "it", "agosto")]
)
def test_dates_are_written_in_the_language_and_in_utc(month: int, language: str, expected: str) -> None:
    """Whatever the time zone it came in, a moment is written in UTC and says so."""
    rome = timezone(timedelta(hours=1))
    moment = datetime(2026, month, 3, 0, 5, tzinfo=rome)
    assert written_date(moment, language) == f"2 {expected} 2026, 23:05 UTC"
