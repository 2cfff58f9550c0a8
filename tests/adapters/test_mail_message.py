"""Mails to sub-users: headers, text and HTML parts, escaping and dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from adapters.mail.branding import Branding, Logo
from adapters.mail.message import format_timestamp, render
from adapters.mail.sender import parse_sender
from application.mail import KINDS_WITH_LINK, MAIL_KINDS, Mail, MailedLinkUrl, has_password
from application.ports.mailing import MailRefused
from domain.mails import SecurityNotice
from domain.sub_user import Notice
from tests.mails import CREDENTIALS_MAIL

if TYPE_CHECKING:
    from email.message import EmailMessage

    from application.mail import MailKind

SENDER = parse_sender("Portal <no-reply@portal.example>")
MAIL = replace(
    CREDENTIALS_MAIL,
    message_id="0f9d2c4e-activation@portal.example",
    login_url="https://portal.example/login?as=sub-user&lang=en",
)
ACCESS_KINDS = [kind for kind in MAIL_KINDS if has_password(kind)]
NOTICE_KINDS = [Notice.PASSWORD_CHANGED, Notice.EMAIL_CHANGED]
LINK_URL = "https://portal.example/password-reset/c2VjcmV0"
LINK_EXPIRES_AT = MAIL.date + timedelta(minutes=30)
LANGUAGES = ["en", "it"]
HOSTILE_NAMES = [
    "Eve\r\nBcc: eve@evil.example",
    "Eve\nX-Evil: yes",
    "Eve\r\n\r\nbody",
    "Eve\x00\x0b\x0c\x1c\x85\u2028y",
]
HOSTILE_PASSWORDS = [
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


class HtmlContent(HTMLParser):
    """The visible text of an HTML document, its text in `<code>`, and all attributes."""

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


def parsed_mail(mail: Mail) -> EmailMessage:
    """Return the message as parsed by a mail program."""
    return message_from_bytes(render(mail, SENDER).content, policy=policy.default)


def text_and_html(mail: Mail) -> tuple[str, HtmlContent]:
    text, html = parsed_mail(mail).iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return text.get_content(), HtmlContent(html.get_content())


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "The temporary password works until 20 November 2026, 18:00 (Rome), when your access ends."),
        (
            "it",
            "La password temporanea vale fino al 20 novembre 2026, ore 18:00 (Roma), quando termina",
        ),
    ],
)
def test_access_that_ends_before_the_password_is_told(language: str, expected: str) -> None:
    """The mail names the earlier one of both ends, in the operator's time zone."""
    mail = replace(of_kind(Notice.ACTIVATION, language), access_ends_at=datetime(2026, 11, 20, 17, tzinfo=UTC))
    message = message_from_bytes(
        render(mail, SENDER, Branding(time_zone=ZoneInfo("Europe/Rome"))).content, policy=policy.default
    )
    text, html = message.iter_parts()
    for part in (text.get_content(), HtmlContent(html.get_content()).text):
        assert expected in part
    later = replace(mail, access_ends_at=datetime(2026, 12, 20, 17, tzinfo=UTC))
    assert {"en": "until 23 November 2026", "it": "fino al 23 novembre 2026"}[language] in text_and_html(later)[0]
    assert expected.rpartition(", ")[2] not in text_and_html(later)[0]


@pytest.mark.parametrize(
    ("day", "expected"),
    [(1, "il 1º marzo 2026, 20:15 UTC"), (8, "l'8 marzo 2026, 20:15 UTC"), (11, "l'11 marzo 2026, 20:15 UTC")],
)
def test_italian_dates_have_the_right_article(day: int, expected: str) -> None:
    mail = replace(MAIL, kind=Notice.PASSWORD_CHANGED, language="it", date=datetime(2026, 3, day, 20, 15, tzinfo=UTC))
    assert expected in text_and_html(mail)[0]


def test_mails_show_the_branding() -> None:
    """The logo is in the mail itself, so that no program has to load it. Text parts have the links."""
    logo = Logo(b"\x89PNG\r\n", "image/png")
    branding = Branding("AI4CALL <b>", logo, "#0b6b3a", "https://portal.example/", "help@portal.example")
    message = message_from_bytes(render(MAIL, SENDER, branding).content, policy=policy.default)
    text, related = message.iter_parts()
    html, picture = related.iter_parts()
    assert "AI4CALL <b> · https://portal.example/ · help@portal.example" in text.get_content()
    content = HtmlContent(html.get_content())
    assert "AI4CALL <b> · https://portal.example/ · help@portal.example" in content.text
    assert {("href", "mailto:help@portal.example"), ("src", "cid:logo"), ("alt", "AI4CALL <b>")} <= set(
        content.attributes
    )
    assert "background-color:#0b6b3a" in html.get_content()
    assert (picture.get_content_type(), picture["Content-ID"], picture.get_content()) == (
        "image/png",
        "<logo>",
        logo.content,
    )


def test_logos_that_mail_programs_do_not_show_are_left_out() -> None:
    branding = Branding("AI4CALL", Logo(b"<svg/>", "image/svg+xml"))
    message = message_from_bytes(render(MAIL, SENDER, branding).content, policy=policy.default)
    text, html = message.iter_parts()
    content = HtmlContent(html.get_content())
    assert "AI4CALL" in content.text
    assert "AI4CALL" not in text.get_content()
    assert ("src", "cid:logo") not in content.attributes


def of_kind(kind: MailKind, language: str) -> Mail:
    mail = replace(MAIL, kind=kind, language=language)
    if kind in KINDS_WITH_LINK:
        mail = replace(mail, link=MailedLinkUrl(LINK_URL, LINK_EXPIRES_AT))
    return mail if kind in ACCESS_KINDS else replace(mail, password=None, password_expires_at=None)


def test_mail_headers() -> None:
    """The mail is marked as auto-generated."""
    message = parsed_mail(MAIL)
    assert message["From"] == "Portal <no-reply@portal.example>"
    assert message["To"] == "Maria Rossi <maria.rossi@example.com>"
    assert message["Subject"] == "Your access to the Acme S.r.l. account is active"
    assert message["Date"].datetime == MAIL.date
    assert message["Message-ID"] == "<0f9d2c4e-activation@portal.example>"
    assert message["Auto-Submitted"] == "auto-generated"


def test_long_message_id_is_not_folded() -> None:
    """The Message-ID stays on one line, even with a long host name."""
    message_id = f"{'a' * 100}@portal.example"
    assert f"Message-ID: <{message_id}>\r\n".encode() in render(replace(MAIL, message_id=message_id), SENDER).content


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ACCESS_KINDS)
def test_access_mail_contains_all_access_data(kind: MailKind, language: str) -> None:
    """Both parts give the login page, the credentials and the expiry."""
    text, html = text_and_html(of_kind(kind, language))
    expires = {"en": "23 November 2026, 20:15 UTC", "it": "23 novembre 2026, 20:15 UTC"}[language]
    for expected in (MAIL.account_email, MAIL.to, MAIL.login_url, "SUB-USER", "Acme S.r.l.", "Maria Rossi", expires):
        assert expected in text
        assert expected in html.text
    assert "correct horse battery" in text.splitlines()
    assert html.code == "correct horse battery"
    assert ("href", MAIL.login_url) in html.attributes


@pytest.mark.parametrize("language", LANGUAGES)
def test_invitation_has_a_link_and_no_password(language: str) -> None:
    """Both parts say until when the link is valid, how to log in afterwards, and whom to ask."""
    text, html = text_and_html(of_kind(Notice.INVITATION, language))
    for part in (text, html.text):
        expires_at = format_timestamp(LINK_EXPIRES_AT, language)
        for expected in (LINK_URL, expires_at, MAIL.login_url, MAIL.account_email, MAIL.to, "SUB-USER", "Acme S.r.l."):
            assert expected in part
    assert LINK_URL in text.splitlines()
    assert ("href", LINK_URL) in html.attributes


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", NOTICE_KINDS)
def test_notice_contains_no_password(kind: MailKind, language: str) -> None:
    """The notice gives the account, the time and a contact; it never contains a password."""
    text, html = text_and_html(replace(MAIL, kind=kind, language=language))
    changed_at = {"en": "16 November 2026, 20:15 UTC", "it": "16 novembre 2026, 20:15 UTC"}[language]
    for part in (text, html.text):
        for expected in (changed_at, MAIL.account_email, "Acme S.r.l.", "Maria Rossi"):
            assert expected in part
        assert "correct horse" not in part
    assert ("href", f"mailto:{MAIL.account_email}") in html.attributes


@pytest.mark.parametrize("language", LANGUAGES)
def test_notice_of_a_changed_email_names_the_former_one(language: str) -> None:
    """Its reader may have several addresses."""
    text, html = text_and_html(of_kind(Notice.EMAIL_CHANGED, language))
    assert MAIL.to in text.splitlines()
    assert MAIL.to in html.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", SecurityNotice)
@pytest.mark.parametrize("is_to_owner", [False, True])
def test_security_notice_tells_what_when_and_where(kind: SecurityNotice, language: str, *, is_to_owner: bool) -> None:
    """Both parts have the time, the client and the link, if the notice has one. Without a client they have none."""
    mail = replace(
        of_kind(kind, language),
        is_to_owner=is_to_owner,
        ip="203.0.113.7",
        device="Firefox, Linux",
        subject_matter="Grace Hopper",
    )
    happened_at = {"en": "16 November 2026, 20:15 UTC", "it": "16 novembre 2026, 20:15 UTC"}[language]
    text, html = text_and_html(mail)
    for part in (text, html.text):
        for expected in (happened_at, "203.0.113.7", "Firefox, Linux", "Acme S.r.l.", "Maria Rossi"):
            assert expected in part
        assert (LINK_URL in part) == (kind in KINDS_WITH_LINK)
    assert "203.0.113.7" not in text_and_html(replace(mail, ip=None))[0]


@pytest.mark.parametrize("kind", sorted(KINDS_WITH_LINK))
def test_mail_that_needs_a_link_is_not_composed_without_one(kind: MailKind) -> None:
    with pytest.raises(ValueError, match="needs a link"):
        render(replace(of_kind(kind, "en"), link=None), SENDER)


def test_mail_kinds_and_languages_have_distinct_texts() -> None:
    """Subject and opening differ between all kinds and languages."""
    mails = [of_kind(kind, language) for kind in MAIL_KINDS for language in LANGUAGES]
    assert len({parsed_mail(mail)["Subject"] for mail in mails}) == len(mails)
    assert len({text_and_html(mail)[0].splitlines()[2] for mail in mails}) == len(mails)


@pytest.mark.parametrize("password", HOSTILE_PASSWORDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_password_is_shown_exactly_in_both_parts(password: str, language: str) -> None:
    """Both parts show the password unchanged, including markup, template syntax and spaces."""
    text, html = text_and_html(replace(MAIL, password=password, language=language))
    assert password in text.splitlines()
    assert html.code == password


@pytest.mark.parametrize("password", ["From here to eternity", ".leading.period.here"])
def test_password_lines_are_encoded_against_mail_software(password: str) -> None:
    """No encoded line starts with `From ` or a dot, which mailboxes and relays alter."""
    lines = render(replace(MAIL, password=password), SENDER).content.split(b"\r\n")
    assert not [line for line in lines[lines.index(b"") :] if line.startswith((b"From ", b"."))]


@pytest.mark.parametrize("hostile_name", HOSTILE_NAMES)
@pytest.mark.parametrize("field", ["name", "surname", "company_name"])
def test_names_cannot_inject_headers(hostile_name: str, field: str) -> None:
    """Line ends in a name add no header, recipient or line of text."""
    plain, crafted = parsed_mail(MAIL), parsed_mail(replace(MAIL, **{field: hostile_name}))  # type: ignore[arg-type]
    assert crafted.keys() == plain.keys()
    assert [address.addr_spec for address in crafted["To"].addresses] == [MAIL.to]
    text, _ = text_and_html(replace(MAIL, **{field: hostile_name}))  # type: ignore[arg-type]
    assert len(text.splitlines()) == len(text_and_html(MAIL)[0].splitlines())


def test_names_are_escaped_in_html() -> None:
    _, html = text_and_html(replace(MAIL, name="<script>alert(1)</script>", company_name="A<b>&B"))
    assert "<script>alert(1)</script>" in html.text
    assert "A<b>&B" in html.text


def test_non_ascii_names_are_readable() -> None:
    mail = replace(MAIL, name="Łucja", surname="Müller-Núñez", company_name="株式会社 Caffè & Figli")
    text, html = text_and_html(mail)
    assert parsed_mail(mail)["To"].addresses[0].display_name == "Łucja Müller-Núñez"
    assert "株式会社 Caffè & Figli" in parsed_mail(mail)["Subject"]
    assert "Hello Łucja Müller-Núñez," in text
    assert "株式会社 Caffè & Figli" in html.text


def test_non_ascii_address_is_written_as_utf8() -> None:
    """An address with a non-ASCII local part is written as UTF-8 (RFC 6532), so replies work."""
    assert (
        "To: Maria Rossi <märia@example.com>\r\n".encode()
        in render(replace(MAIL, to="märia@example.com"), SENDER).content
    )


def test_html_part_loads_no_external_resources() -> None:
    for mail in (of_kind(kind, language) for kind in MAIL_KINDS for language in LANGUAGES):
        _, html = text_and_html(mail)
        assert not [name for name, _ in html.attributes if name in ("src", "srcset", "background")]
        assert {value for name, value in html.attributes if name == "href"} <= {
            MAIL.login_url,
            f"mailto:{MAIL.account_email}",
            *([LINK_URL] if mail.link is not None else []),
        }
        assert not [value for _, value in html.attributes if value and "url(" in value]


def test_mail_without_an_expiry_mentions_none() -> None:
    text, html = text_and_html(replace(MAIL, password_expires_at=None))
    assert "expires" not in text + html.text


def test_invalid_recipient_is_refused_permanently() -> None:
    """An invalid address raises `MailRefused`, and the reply does not quote it."""
    with pytest.raises(MailRefused) as caught:
        render(replace(MAIL, to="maria rossi@example.com"), SENDER)
    assert caught.value.reply == "the recipient's address is not a mail address"


def test_invalid_mail_arguments_are_errors() -> None:
    """A missing password or an unknown language is a programming error."""
    with pytest.raises(ValueError, match="needs a password"):
        render(replace(MAIL, password=None), SENDER)
    with pytest.raises(ValueError, match="language 'fr'"):
        render(replace(MAIL, language="fr"), SENDER)


@pytest.mark.parametrize(
    ("month", "language", "expected"), [(1, "en", "January"), (12, "en", "December"), (8, "it", "agosto")]
)
def test_dates_are_localized_and_in_utc(month: int, language: str, expected: str) -> None:
    rome = timezone(timedelta(hours=1))
    local_time = datetime(2026, month, 3, 0, 5, tzinfo=rome)
    assert format_timestamp(local_time, language) == f"2 {expected} 2026, 23:05 UTC"
