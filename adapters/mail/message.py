"""Renders a `Mail` into the message that is sent: headers, a text part and an HTML part."""

from __future__ import annotations

import re
from datetime import UTC
from email import policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from adapters.mail.sender import address, one_line
from application.mail import MailKind, MailRefused

if TYPE_CHECKING:
    from datetime import datetime
    from email.headerregistry import Address

    from application.mail import Mail

_MONTHS = {
    language: tuple(names.split())
    for language, names in {
        "en": "January February March April May June July August September October November December",
        "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    }.items()
}


def render(mail: Mail, sender: Address) -> EmailMessage:
    """Return the message for this mail, ready for the wire.

    Raises `MailRefused` when the recipient's address is not one, `ValueError` when the mail itself makes no sense
    (unknown language, access data without a password).
    """
    subject, text, html = _contents(mail)
    recipient = _recipient(mail)
    ascii_only = recipient.username.isascii() and sender.username.isascii()
    message = EmailMessage(policy=policy.SMTP if ascii_only else policy.SMTPUTF8)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = mail.date.astimezone(UTC)
    message["Message-ID"] = f"<{mail.message_id}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    for part in message.iter_parts():
        part.set_payload(_shielded(str(part.get_payload())))
    return message


def written_date(moment: datetime, language: str) -> str:
    """Return the moment as a reader of that language writes it: "23 November 2026, 20:15 UTC"."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {_MONTHS[language][utc.month - 1]} {utc.year}, {utc:%H:%M} UTC"


def _recipient(mail: Mail) -> Address:
    try:
        return address(mail.to, f"{mail.name} {mail.surname}")
    except ValueError as error:
        raise MailRefused(f"the recipient's address is {error}") from None


def _contents(mail: Mail) -> tuple[str, str, str]:
    """Return subject, text part and HTML part."""
    words = _words(mail)
    text = _templates().get_template(f"{mail.language}/{mail.kind}.txt")
    html = _templates().get_template(f"{mail.language}/{mail.kind}.html")
    # The subject is a block of the text template that its layout does not show.
    subject = one_line("".join(text.blocks["subject"](text.new_context(words))))
    return subject, text.render(words), html.render(words, subject=subject)


def _words(mail: Mail) -> dict[str, object]:
    """Return what the templates may use; the password only where the mail is there to carry it.

    Whatever people chose is made one line, so that a name cannot pass for a paragraph of ours. A password is never
    touched: it must come out exactly.
    """
    if mail.language not in _MONTHS:
        raise ValueError(f"no mails are written in this language: {mail.language!r}")
    words: dict[str, object] = {
        "full_name": one_line(f"{mail.name} {mail.surname}"),
        "company_name": one_line(mail.company_name),
        "account_email": one_line(mail.account_email),
        "sub_user_email": mail.to,
        "login_url": one_line(mail.login_url),
        "happened_at": written_date(mail.date, mail.language),
    }
    if mail.kind is not MailKind.PASSWORD_CHANGED:
        if mail.password is None:
            raise ValueError(f"a mail of kind {mail.kind} needs a password")
        expiry = mail.password_expires_at
        words["password"] = mail.password
        words["expires_at"] = written_date(expiry, mail.language) if expiry else None
    return words


def _shielded(payload: str) -> str:
    """Protect the lines that mail software likes to alter, so that a password that opens a line stays exact.

    Mailbox files turn "From " into ">From ", and careless relays swallow a leading period.
    """
    return re.sub(r"(?m)^(From |\.)", lambda found: f"={ord(found[0][0]):02X}{found[0][1:]}", payload)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(enabled_extensions=("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
