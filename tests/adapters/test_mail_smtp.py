"""Sending through a mail server that knows encryption and logins."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest

from adapters.mail.smtp import SmtpTransport
from application.mail import Mail, MailDelayed, MailKind, MailRefused
from tests.mail_server import CREDENTIALS, USER, AnyPort, accept, write_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session

    from application.mail import MailTransport

MAIL = Mail(
    message_id="0f9d2c4e@portal.example",
    kind=MailKind.RESET,
    language="en",
    to="maria.rossi@example.com",
    name="Maria",
    surname="Rossi",
    account_email="owner@acme.example",
    company_name="Acme S.r.l.",
    login_url="https://portal.example/login",
    date=datetime(2026, 11, 16, 20, 15, tzinfo=UTC),
    password="correct horse battery",
    password_expires_at=datetime(2026, 11, 23, 20, 15, tzinfo=UTC),
)


class Inbox:
    """Keeps what the server accepted, and whether it came encrypted."""

    def __init__(self) -> None:
        self.taken: list[tuple[Session, Envelope]] = []

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.taken.append((session, envelope))
        return f"250 OK queued as {len(self.taken)}"


@contextmanager
def serving(**options: Any) -> Iterator[tuple[Inbox, int]]:
    inbox = Inbox()
    server = AnyPort(inbox, hostname="127.0.0.1", port=0, ready_timeout=60.0, **options)
    server.start()
    try:
        yield inbox, server.port
    finally:
        server.stop()


def transport(url: str) -> MailTransport:
    return SmtpTransport(url, sender="Portal <no-reply@portal.example>", timeout=5)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def test_an_accepted_mail_arrives_whole(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """The server's final reply comes back; it got the mail encrypted, from who logged in, with the right envelope."""
    with serving(tls_context=server_tls, require_starttls=True, authenticator=accept, auth_required=True) as (
        inbox,
        port,
    ):
        reply = transport(f"smtp://{CREDENTIALS}@localhost:{port}?ca={certificate}").send(MAIL)
    ((session, envelope),) = inbox.taken
    message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
    assert reply == "250 OK queued as 1"
    assert session.ssl is not None
    assert session.authenticated
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@portal.example", ["maria.rossi@example.com"])
    assert message["Message-ID"] == "<0f9d2c4e@portal.example>"
    text = next(message.iter_parts())
    assert "correct horse battery" in text.get_content().splitlines()


def test_smtps_is_encrypted_from_the_start(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """smtps:// needs no STARTTLS and takes credentials."""
    options = {"ssl_context": server_tls, "authenticator": accept, "auth_required": True, "auth_require_tls": False}
    # aiosmtpd takes only STARTTLS for encryption, so it warns about logins over smtps.
    with pytest.warns(UserWarning, match="Requiring AUTH while not requiring TLS"), serving(**options) as (inbox, port):
        reply = transport(f"smtps://{CREDENTIALS}@localhost:{port}?ca={certificate}").send(MAIL)
    assert reply == "250 OK queued as 1"
    assert inbox.taken[0][0].authenticated


def test_encryption_is_used_where_offered(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """A server on this machine that can encrypt is talked to encrypted, unasked."""
    with serving(tls_context=server_tls) as (inbox, port):
        transport(f"smtp://localhost:{port}?ca={certificate}").send(MAIL)
    assert inbox.taken[0][0].ssl is not None


def test_a_plain_server_on_this_machine_will_do() -> None:
    """Without credentials and without leaving the machine, a server that cannot encrypt is good enough."""
    with serving() as (inbox, port):
        assert transport(f"smtp://localhost:{port}").send(MAIL) == "250 OK queued as 1"
    assert inbox.taken[0][0].ssl is None


@pytest.mark.parametrize("login", ["", f"{CREDENTIALS}@"])
def test_nothing_is_sent_in_the_clear_unasked(login: str) -> None:
    """Where encryption is required and not offered, neither credentials nor access data leave."""
    with serving(authenticator=accept, auth_require_tls=False) as (inbox, port), pytest.raises(MailDelayed) as caught:
        transport(f"smtp://{login}localhost:{port}?starttls=required").send(MAIL)
    assert "STARTTLS extension not supported" in caught.value.reply
    assert inbox.taken == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_an_unknown_certificate_is_not_trusted(server_tls: ssl.SSLContext, scheme: str) -> None:
    """A certificate of no known authority may be an impostor's: the mail waits."""
    options = {"ssl_context": server_tls} if scheme == "smtps" else {"tls_context": server_tls}
    with serving(**options) as (inbox, port), pytest.raises(MailDelayed) as caught:
        transport(f"{scheme}://localhost:{port}").send(MAIL)
    assert caught.value.reply.startswith(f"localhost:{port}: its certificate is not trusted: self")
    assert inbox.taken == []


def test_a_certificate_for_another_host_is_not_trusted(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """A known certificate counts for the names in it only."""
    with serving(tls_context=server_tls) as (_, port), pytest.raises(MailDelayed, match="IP address mismatch"):
        transport(f"smtp://127.0.0.1:{port}?ca={certificate}").send(MAIL)


def test_wrong_credentials_are_worth_another_attempt(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """A wrong password is the operator's to mend: the mail waits, and the reply does not hold it."""
    with serving(tls_context=server_tls, authenticator=accept) as (inbox, port), pytest.raises(MailDelayed) as caught:
        transport(f"smtp://{USER.replace('@', '%40')}:wr0ng@localhost:{port}?ca={certificate}").send(MAIL)
    assert caught.value.reply.startswith("535 ")
    assert "wr0ng" not in caught.value.reply
    assert inbox.taken == []


def test_a_server_that_wants_a_login_delays(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """The demand to log in first is no verdict on the mail, although it comes as a refusal (530) of the sender."""
    options = {"tls_context": server_tls, "authenticator": accept, "auth_required": True}
    with serving(**options) as (_, port), pytest.raises(MailDelayed, match=r"^530 "):
        transport(f"smtp://localhost:{port}?ca={certificate}").send(MAIL)


def test_an_address_beyond_ascii_reaches_a_server_that_knows_them() -> None:
    """With SMTPUTF8 on both sides, the envelope carries the address as it is written."""
    with serving(enable_SMTPUTF8=True) as (inbox, port):
        transport(f"smtp://localhost:{port}").send(replace(MAIL, to="märia@example.com"))
    assert inbox.taken[0][1].rcpt_tos == ["märia@example.com"]


def test_an_address_beyond_ascii_is_refused_by_others() -> None:
    """Without SMTPUTF8 no attempt will ever succeed, so none is repeated."""
    with serving(enable_SMTPUTF8=False) as (_, port), pytest.raises(MailRefused, match="SMTPUTF8"):
        transport(f"smtp://localhost:{port}").send(replace(MAIL, to="märia@example.com"))
