"""SMTP transport."""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from adapters.mail.message import DEFAULT_BRANDING, compose
from adapters.mail.sender import parse_sender
from adapters.mail.smtp_url import StartTls, parse_smtp_url
from application.display_text import one_line
from application.ports.mailing import MailDelayed, MailRefused, MailThrottled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.mail.branding import Branding
    from adapters.mail.message import Message
    from application.mail import Mail

# 530 and 538: authentication or encryption is required; 534: mechanism too weak; 535: wrong credentials (RFC 4954). The
# operator can fix these, and the mail itself is not refused.
_AUTHENTICATION_CODES = frozenset({530, 534, 535, 538})

# Servers report rate limits and greylisting with the permanent code 550 as often as with 450, so the text decides.
_RATE_LIMITED = re.compile(
    r"too (?:many|fast|much|quick\w*|frequent\w*)|rate.?limit|throttl|slow down|at a rate"
    r"|(?:rate|sending|send|hourly|daily|message|connection|recipient)s? (?:limit|quota)|exceed\w* \S* ?rate",
    re.IGNORECASE,
)
_TEMPORARY = re.compile(
    r"(?:try|retry|come back)(?: again)?(?: \w+)? later|gr[ae]y.?list|temporarily|temporary (?:fail|err|rej|def|prob)"
    r"|^5\d\d[ -]4\.\d",
    re.IGNORECASE,
)

_DATA_TIMEOUT_FACTOR = 15
"""The reply to the contents may take this multiple of the timeout, because servers scan a mail before they accept it.
With 20 seconds this is 5 minutes (RFC 5321, 4.5.3.2.6, recommends 10)."""

# Limits the text that is stored in events.
_MAX_REPLY_LENGTH = 500


class SmtpTransport:
    """Sends each mail over a new connection. Mails are too rare to justify connection reuse.

    `parse_smtp_url` documents the URL. `timeout` limits each exchange with the server, in seconds.
    Raises `ValueError` for an invalid URL or sender, with a single line that contains no secret.
    """

    def __init__(self, url: str, *, sender: str, timeout: float = 20.0, branding: Branding = DEFAULT_BRANDING) -> None:
        self._server = parse_smtp_url(url)
        self._sender = parse_sender(sender)
        self._branding = branding
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._server.host}:{self._server.port})"

    def send(self, mail: Mail) -> str:
        """Send a mail, and return the server's final reply, such as "250 OK queued as 123".

        Raises `MailRefused` if the server permanently refuses the sender, the recipient or the contents. Raises
        `MailDelayed` for temporary or fixable errors (connection, TLS, login, replies that mean "later" with any code),
        and its subclass `MailThrottled` for replies that mean "too many".
        If the connection breaks before the final reply, the mail may have been accepted. It counts as delayed, and the
        next attempt has the same Message-ID.
        """
        message = compose(mail, self._sender, self._branding)
        try:
            with self._connection() as connection:
                return _transmit(connection, message, self._timeout * _DATA_TIMEOUT_FACTOR)
        except OSError as error:  # all errors of smtplib and ssl are subclasses
            raise _delay(self._reason(error)) from error

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        """Yield a connection that is encrypted and logged in as the URL requires."""
        connection = self._connect()
        try:
            self._prepare(connection)
            yield connection
        finally:
            # QUIT can fail, but it does not change the result of the mail.
            with suppress(OSError):
                connection.quit()
            connection.close()

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.starttls is None:
            return smtplib.SMTP_SSL(server.host, server.port, timeout=self._timeout, context=server.tls)
        return smtplib.SMTP(server.host, server.port, timeout=self._timeout)

    def _prepare(self, connection: smtplib.SMTP) -> None:
        server = self._server
        connection.ehlo_or_helo_if_needed()
        offered = connection.has_extn("starttls")
        if server.starttls is StartTls.REQUIRED or (server.starttls is StartTls.OPPORTUNISTIC and offered):
            connection.starttls(context=server.tls)
            connection.ehlo_or_helo_if_needed()
        if server.user is not None and server.password is not None:
            connection.login(server.user, server.password)

    def _reason(self, error: OSError) -> str:
        """Return the reason of an error in one line, with the server's reply if there is one."""
        if isinstance(error, smtplib.SMTPResponseException):
            return _reply_text(error.smtp_code, error.smtp_error)
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted: {error.verify_message}"
        else:
            reason = error.strerror or str(error) or type(error).__name__
        return one_line(f"{self._server.host}:{self._server.port}: {reason}")[:_MAX_REPLY_LENGTH]


def _transmit(connection: smtplib.SMTP, message: Message, data_timeout: float) -> str:
    """Send a message, and return the reply to its contents, with which the server accepts responsibility.

    `smtplib.SMTP.send_message` discards that reply.
    """
    options = _options(connection, message.sender, message.recipient)
    _ensure_accepted(*connection.mail(message.sender, options))
    _ensure_accepted(*connection.rcpt(message.recipient))
    reply: tuple[int, bytes | str]
    previous_timeout = _set_timeout(connection, data_timeout)
    try:
        reply = connection.data(message.content)
    except smtplib.SMTPDataError as error:
        reply = error.smtp_code, error.smtp_error
    _set_timeout(connection, previous_timeout)
    _ensure_accepted(*reply)
    return _reply_text(*reply)


def _set_timeout(connection: smtplib.SMTP, seconds: float | None) -> float | None:
    """Set the timeout of a connection, and return the previous one."""
    sock = connection.sock
    if sock is None:
        return seconds
    previous = sock.gettimeout()
    sock.settimeout(seconds)
    return previous


def _options(connection: smtplib.SMTP, *addresses: str) -> tuple[str, ...]:
    if all(address.isascii() for address in addresses):
        return ()
    if not connection.has_extn("smtputf8"):
        raise MailRefused("the mail server does not support non-ASCII addresses (SMTPUTF8)")
    return ("SMTPUTF8", "BODY=8BITMIME")


def _ensure_accepted(code: int, reply: bytes | str) -> None:
    if 200 <= code < 300:
        return
    text = _reply_text(code, reply)
    if (
        500 <= code < 600
        and code not in _AUTHENTICATION_CODES
        and not _TEMPORARY.search(text)
        and not _RATE_LIMITED.search(text)
    ):
        raise MailRefused(text)
    raise _delay(text)


def _delay(reason: str) -> MailDelayed:
    return MailThrottled(reason) if _RATE_LIMITED.search(reason) else MailDelayed(reason)


def _reply_text(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return one_line(f"{code} {text}")[:_MAX_REPLY_LENGTH]
