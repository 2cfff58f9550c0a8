"""What the URL of a mail server says, checked before anything is sent to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_FORM = "smtp://user:password@host:port or smtps://…, with special characters percent-encoded"
_MALFORMED = f"the mail server's URL is not of the form {_FORM}"


class StartTls(StrEnum):
    """What to do about encryption on a connection that starts in the clear."""

    REQUIRED = "required"
    OPPORTUNISTIC = "opportunistic"
    OFF = "off"


@dataclass(frozen=True)
class SmtpServer:
    """A mail server and how to talk to it. `starttls` is None where TLS comes first (smtps)."""

    host: str
    port: int
    starttls: StartTls | None
    tls: ssl.SSLContext = field(repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_smtp_url(url: str) -> SmtpServer:
    """Return the server that the URL names.

    Options: `starttls=required|opportunistic|off` and `ca=/path.pem`, the only authority to trust then. STARTTLS is
    required unless the server is on this machine and wants no credentials: then it is used where offered.
    Raises `ValueError` with one line that quotes nothing of the URL but its host and the path of the authority: in a
    malformed URL any other piece may be a part of the password.
    """
    parts, port = _split(url)
    user, password = _credentials(parts)
    options = _options(parts.query)
    host = parts.hostname or ""
    starttls = _starttls(parts.scheme, host, options.get("starttls"), with_credentials=user is not None)
    if port is None:
        # The submission port is where servers take credentials; the relay port where they do not ask for any.
        port = 465 if starttls is None else 587 if user else 25
    return SmtpServer(host, port, starttls, _tls(options.get("ca")), user, password)


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")  # what connecting does, where a failure would pass for a bug
    except ValueError:
        # `from None`: the parser's own words may quote a password with an unescaped "/" or "@" in it.
        raise ValueError(_MALFORMED) from None
    if parts.scheme not in ("smtp", "smtps"):
        raise ValueError("the mail server's URL must start with smtp:// or smtps://")
    misplaced = parts.path not in ("", "/") or parts.fragment or parts.netloc.count("@") > 1
    if misplaced or not parts.hostname or port == 0 or not url.isprintable():
        raise ValueError(_MALFORMED)
    return parts, port


def _credentials(parts: SplitResult) -> tuple[str, str] | tuple[None, None]:
    if "@" not in parts.netloc:
        return None, None
    if not parts.username or not parts.password:
        raise ValueError("the mail server's URL needs both a user and a password, or neither")
    user, password = unquote(parts.username), unquote(parts.password)
    if not (user.isascii() and password.isascii()):
        raise ValueError("the user and password in the mail server's URL must be ASCII: smtplib sends no others")
    return user, password


def _options(query: str) -> dict[str, str]:
    # Not parse_qsl: it would read the "+" of a file name as a space.
    pairs = [part.partition("=") for part in query.split("&") if part]
    options = {name: unquote(value) for name, _, value in pairs}
    if len(options) < len(pairs) or not options.keys() <= {"starttls", "ca"}:
        raise ValueError("the mail server's URL takes the options starttls and ca, each once")
    return options


def _starttls(scheme: str, host: str, chosen: str | None, *, with_credentials: bool) -> StartTls | None:
    """Return the mode, so that credentials never travel in the clear and mails do not leave the machine so unasked."""
    if scheme == "smtps":
        if chosen is not None:
            raise ValueError("the option starttls is for smtp://; smtps:// is encrypted from the start")
        return None
    if chosen is None:
        local = _is_this_machine(host) and not with_credentials
        return StartTls.OPPORTUNISTIC if local else StartTls.REQUIRED
    if chosen not in list(StartTls):
        raise ValueError("the option starttls of the mail server's URL is one of required, opportunistic, off")
    if with_credentials and chosen != StartTls.REQUIRED:
        raise ValueError("a mail server's URL with credentials needs starttls=required: they never go in the clear")
    return StartTls(chosen)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls(authority: str | None) -> ssl.SSLContext:
    """Return the terms of every encrypted connection: the server's certificate and name are verified, always."""
    if authority == "":
        raise ValueError("the option ca of the mail server's URL needs a path")
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:  # ssl.SSLError is one
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"cannot use {authority} as the mail server's certificate authority: {reason}") from None
