"""Composition of messages from a `Mail`: headers, a text part and an HTML part."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

import structlog
from babel.dates import get_timezone_location
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from adapters.mail.branding import Branding
from adapters.mail.headers import address_field, machine_field, text_field
from adapters.mail.sender import header_address
from application.display_text import one_line
from application.mail import KINDS_WITH_LINK, has_password
from application.ports.mailing import MailRefused

if TYPE_CHECKING:
    from datetime import datetime
    from email.headerregistry import Address

    from adapters.mail.branding import Logo
    from application.mail import Mail

_MONTHS = {
    language: tuple(names.split())
    for language, names in {
        "en": "January February March April May June July August September October November December",
        "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    }.items()
}


UTC_ZONE = ZoneInfo("UTC")
DEFAULT_BRANDING = Branding()
DEFAULT_ACCENT_COLOR = "#2f54eb"
LOGO_CONTENT_ID = "logo"
"""The HTML part refers to the logo in the mail as `cid:logo`."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Message:
    """A mail in its wire format, with the sender and recipient of its envelope."""

    sender: str
    recipient: str = field(repr=False)
    content: bytes = field(repr=False)


def compose(mail: Mail, sender: Address, branding: Branding = DEFAULT_BRANDING) -> Message:
    """Return the message of a mail.

    Raises `MailRefused` if the mail cannot be composed for any reason, because every attempt would fail. The error's
    text is not logged, because it can quote the mail.
    """
    try:
        return render(mail, sender, branding)
    except MailRefused:
        raise
    except Exception as error:  # noqa: BLE001  # the libraries raise many exceptions, and new versions more
        log.error("mail.not_composed", message_id=mail.message_id, error=type(error).__name__)  # noqa: TRY400
        raise MailRefused("the mail could not be composed") from None


def render(mail: Mail, sender: Address, branding: Branding = DEFAULT_BRANDING) -> Message:
    """Return the message of a mail, as `compose` does, but let errors through.

    Raises `MailRefused` if the recipient's address is invalid, and `ValueError` if the mail is inconsistent (unknown
    language, access data without a password).
    """
    subject, text, html = _contents(mail, branding)
    recipient = _recipient(mail)
    header = (
        address_field("From", sender),
        address_field("To", recipient),
        text_field("Subject", subject),
        machine_field("Date", format_datetime(mail.date.astimezone(UTC))),
        machine_field("Message-ID", f"<{mail.message_id}>"),
        machine_field("Auto-Submitted", "auto-generated"),
    )
    return Message(sender.addr_spec, recipient.addr_spec, b"".join(header) + _body(text, html, _mailed_logo(branding)))


def _mailed_logo(branding: Branding) -> Logo | None:
    """Return the logo if mail programs show it. Most show no SVG."""
    return None if branding.logo is None or branding.logo.media_type == "image/svg+xml" else branding.logo


def _body(text: str, html: str, logo: Logo | None) -> bytes:
    """Return the MIME header fields and the body with both parts, and the logo that the HTML part shows."""
    body = EmailMessage(policy=policy.SMTP)
    body.set_content(text, cte="quoted-printable")
    body.add_alternative(html, subtype="html", cte="quoted-printable")
    text_part, html_part = body.iter_parts()
    for part in (text_part, html_part):
        part.set_payload(_escape_fragile_lines(str(part.get_payload())))
    if logo is not None:
        maintype, _, subtype = logo.media_type.partition("/")
        cast("EmailMessage", html_part).add_related(
            logo.content, maintype, subtype, cid=f"<{LOGO_CONTENT_ID}>", disposition="inline"
        )
    return body.as_bytes()


def format_timestamp(moment: datetime, language: str, zone: ZoneInfo = UTC_ZONE) -> str:
    """Return a time in a language, such as "23 November 2026, 20:15 UTC" or "23 November 2026, 21:15 (Rome)"."""
    local = moment.astimezone(zone)
    is_italian = language == "it"
    day = "1º" if is_italian and local.day == 1 else local.day
    date = f"{day} {_MONTHS[language][local.month - 1]} {local.year}"
    if zone.key == UTC_ZONE.key:
        return f"{date}, {local:%H:%M} UTC"
    city = get_timezone_location(zone, locale=language, return_city=True)
    return f"{date}, {'ore ' if is_italian else ''}{local:%H:%M} ({city})"


def with_article(date: str, article: str = "il") -> str:
    """Return an Italian date after an article, which is elided before the 8th and the 11th."""
    if not re.match(r"(8|11)\b", date):
        return f"{article} {date}"
    return f"l'{date}" if article == "il" else f"{article}l'{date}"


def _recipient(mail: Mail) -> Address:
    try:
        return header_address(mail.to, mail.full_name)
    except ValueError as error:
        raise MailRefused(f"the recipient's address is {error}") from None


def _contents(mail: Mail, branding: Branding) -> tuple[str, str, str]:
    """Return subject, text part and HTML part."""
    variables = _template_variables(mail, branding.time_zone) | _branding_variables(branding)
    text = _templates().get_template(f"{mail.language}/{mail.kind}.txt")
    html = _templates().get_template(f"{mail.language}/{mail.kind}.html")
    # The subject is a block of the text template, which the layout does not render.
    subject = one_line("".join(text.blocks["subject"](text.new_context(variables))))
    return subject, text.render(variables), html.render(variables, subject=subject)


def _branding_variables(branding: Branding) -> dict[str, object]:
    return {
        "product_name": branding.product_name,
        "accent_color": branding.accent_color or DEFAULT_ACCENT_COLOR,
        "has_logo": _mailed_logo(branding) is not None,
        "portal_url": branding.portal_url,
        "support_address": branding.support_address,
        "support_url": branding.support_url,
    }


def _template_variables(mail: Mail, zone: ZoneInfo) -> dict[str, object]:
    """Return the template variables. Only mails with access data have the password.

    Text chosen by people is reduced to one line, so that a name cannot look like a paragraph of the mail. A password is
    never changed: it must arrive exactly.
    """
    if mail.language not in _MONTHS:
        raise ValueError(f"there are no mail templates for the language {mail.language!r}")
    link = mail.link
    variables: dict[str, object] = {
        "full_name": one_line(mail.full_name),
        "company_name": one_line(mail.company_name),
        "account_email": one_line(mail.account_email),
        "sub_user_email": mail.to,
        "login_url": one_line(mail.login_url),
        "happened_at": format_timestamp(mail.date, mail.language, zone),
        "is_to_owner": mail.is_to_owner,
        "ip": mail.ip,
        "place": mail.place,
        "device": one_line(mail.device) if mail.device is not None else None,
        "subject_matter": one_line(mail.subject_matter) if mail.subject_matter is not None else None,
        "link_url": link.url if link is not None else None,
        "link_expires_at": format_timestamp(link.expires_at, mail.language, zone) if link is not None else None,
    }
    if mail.kind in KINDS_WITH_LINK and link is None:
        raise ValueError(f"a mail of kind {mail.kind} needs a link")
    if has_password(mail.kind):
        if mail.password is None:
            raise ValueError(f"a mail of kind {mail.kind} needs a password")
        ends = [end for end in (mail.password_expires_at, mail.access_ends_at) if end is not None]
        variables["password"] = mail.password
        variables["expires_at"] = format_timestamp(min(ends), mail.language, zone) if ends else None
        variables["ends_with_access"] = bool(ends) and min(ends) == mail.access_ends_at
    return variables


def _escape_fragile_lines(payload: str) -> str:
    """Escape the starts of lines that mail software can alter, so that a password at the start of a line is preserved.

    Mailbox files turn "From " into ">From ", and faulty relays drop a leading period.
    """
    return re.sub(r"(?m)^(From |\.)", lambda match: f"={ord(match[0][0]):02X}{match[0][1:]}", payload)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(enabled_extensions=("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["with_article"] = with_article
    return environment
