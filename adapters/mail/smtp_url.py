"""Parsing and validation of a mail server's URL."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_MALFORMED = (
    "the mail server's URL must be of the form smtp://user:password@host:port or smtps://…; percent-encode special "
    "characters"
)


class StartTls(StrEnum):
    """Use of STARTTLS on a connection that starts unencrypted."""

    REQUIRED = "required"
    OPPORTUNISTIC = "opportunistic"
    OFF = "off"


@dataclass(frozen=True)
class SmtpServer:
    """Address and credentials of a mail server. `starttls` is None for smtps, which is encrypted from the start."""

    host: str
    port: int
    starttls: StartTls | None
    tls: ssl.SSLContext = field(repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_smtp_url(url: str) -> SmtpServer:
    """Parse a mail server's URL.

    The options are `starttls=required|opportunistic|off`, and `ca=/path.pem` for the only certificate authority to
    trust. By default STARTTLS is required; for a server on this machine without credentials it is used if offered.
    Raises `ValueError` with a message of a single line. It contains nothing of the URL but the quoted path of `ca`,
    because any other part of a malformed URL can belong to the password.
    """
    parts, port = _split(url)
    user, password = _credentials(parts)
    options = _options(parts.query)
    host = parts.hostname or ""
    starttls = _starttls(parts.scheme, host, options.get("starttls"), with_credentials=user is not None)
    if port is None:
        # Servers accept credentials on the submission port (587); the relay port (25) needs none.
        port = 465 if starttls is None else 587 if user else 25
    return SmtpServer(host, port, starttls, _tls(options.get("ca")), user, password)


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")  # fails here, as connecting would
    except ValueError:
        # `from None`: the parser's message can quote a password that contains an unescaped "/" or "@".
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
        raise ValueError(
            "the user and password in the mail server's URL must be ASCII: smtplib supports no other characters"
        )
    return user, password


def _options(query: str) -> dict[str, str]:
    # parse_qsl would decode the "+" of a file name as a space.
    pairs = [part.partition("=") for part in query.split("&") if part]
    options = {name: unquote(value) for name, _, value in pairs}
    if len(options) < len(pairs) or not options.keys() <= {"starttls", "ca"}:
        raise ValueError("the mail server's URL takes the options starttls and ca, each once")
    return options


def _starttls(scheme: str, host: str, chosen: str | None, *, with_credentials: bool) -> StartTls | None:
    """Return the mode. Credentials are never sent unencrypted; mails leave the machine unencrypted only on request."""
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
        raise ValueError(
            "a mail server's URL with credentials needs starttls=required: they are never sent unencrypted"
        )
    return StartTls(chosen)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls(ca_file: str | None) -> ssl.SSLContext:
    """Return the TLS context. It always verifies the server's certificate and name."""
    if ca_file == "":
        raise ValueError("the option ca of the mail server's URL needs a path")
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:  # a ValueError for a null character
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else getattr(error, "strerror", error)
        raise ValueError(f"cannot use {ca_file!r} as the mail server's certificate authority: {reason}") from None
