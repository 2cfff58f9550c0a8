"""Hands mails to a mail server."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from adapters.mail.message import render
from adapters.mail.sender import one_line, parse_sender
from adapters.mail.smtp_url import StartTls, parse_smtp_url
from application.mail import MailDelayed, MailRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from application.mail import Mail

# "Log in first", "mechanism too weak", "wrong credentials", "encrypt first" (RFC 4954): the operator's to mend, and
# no verdict on the mail.
_ABOUT_LOGIN = frozenset({530, 534, 535, 538})

_TAKING_IT = 15
"""So many times the usual patience for a server that looks a mail over before it takes it: five minutes, where that
is 20 seconds (RFC 5321, 4.5.3.2.6, asks for ten)."""

# Enough for what any server has to say, and a bound on what ends up in the history.
_LONGEST_REPLY = 500


class SmtpTransport:
    """Sends each mail over a connection of its own: they are few, and a kept connection is one more thing to break.

    `url` is explained at `parse_smtp_url`. `timeout` bounds each exchange with the server, in seconds.
    Raises `ValueError`, one line without any secret in it, when the URL or the sender is wrong.
    """

    def __init__(self, url: str, *, sender: str, timeout: float = 20.0) -> None:
        self._server = parse_smtp_url(url)
        self._sender = parse_sender(sender)
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._server.host}:{self._server.port})"

    def send(self, mail: Mail) -> str:
        """Return the server's final reply, such as "250 OK queued as 123".

        A server that breaks off between taking the mail and saying so leaves open whether it was taken: it counts as
        delayed, and the next attempt carries the same Message-ID.
        Raises `MailRefused` on a final refusal of the sender, the recipient or the contents; `MailDelayed` on
        anything that may pass or be mended: connection, encryption, login, and replies that say "later".
        """
        message = render(mail, self._sender)
        try:
            with self._connection() as connection:
                return _hand_over(connection, message, self._timeout * _TAKING_IT)
        except OSError as error:  # every error of smtplib and ssl is one
            raise MailDelayed(self._reason(error)) from error

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        """Give a connection on which mails may be sent: encrypted and logged in as the URL demands."""
        connection = self._dial()
        try:
            self._prepare(connection)
            yield connection
        finally:
            # Taking leave can fail, but no longer changes what became of the mail.
            with suppress(OSError):
                connection.quit()
            connection.close()

    def _dial(self) -> smtplib.SMTP:
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
        """Return what went wrong in one line; the server's own words where there are any."""
        if isinstance(error, smtplib.SMTPResponseException):
            return _in_words(error.smtp_code, error.smtp_error)
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted: {error.verify_message}"
        else:
            reason = error.strerror or str(error) or type(error).__name__
        return one_line(f"{self._server.host}:{self._server.port}: {reason}")[:_LONGEST_REPLY]


def _hand_over(connection: smtplib.SMTP, message: EmailMessage, seconds_to_take_it: float) -> str:
    """Return the reply to the contents: from then on the mail is the server's.

    Not `send_message`: it drops that reply.
    """
    sender, recipient = message["From"].addresses[0].addr_spec, message["To"].addresses[0].addr_spec
    _require_accepted(*connection.mail(sender, _options(connection, sender, recipient)))
    _require_accepted(*connection.rcpt(recipient))
    reply: tuple[int, bytes | str]
    usual = _set_timeout(connection, seconds_to_take_it)
    try:
        reply = connection.data(message.as_bytes())
    except smtplib.SMTPDataError as error:
        reply = error.smtp_code, error.smtp_error
    _set_timeout(connection, usual)
    _require_accepted(*reply)
    return _in_words(*reply)


def _set_timeout(connection: smtplib.SMTP, seconds: float | None) -> float | None:
    """Set how long to wait for the server, and return how long that was before."""
    sock = connection.sock
    if sock is None:
        return seconds
    before = sock.gettimeout()
    sock.settimeout(seconds)
    return before


def _options(connection: smtplib.SMTP, *addresses: str) -> tuple[str, ...]:
    if all(address.isascii() for address in addresses):
        return ()
    if not connection.has_extn("smtputf8"):
        raise MailRefused("the mail server takes no addresses beyond ASCII (SMTPUTF8)")
    return ("SMTPUTF8", "BODY=8BITMIME")


def _require_accepted(code: int, reply: bytes | str) -> None:
    if 200 <= code < 300:
        return
    if 500 <= code < 600 and code not in _ABOUT_LOGIN:
        raise MailRefused(_in_words(code, reply))
    raise MailDelayed(_in_words(code, reply))


def _in_words(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return one_line(f"{code} {text}")[:_LONGEST_REPLY]
