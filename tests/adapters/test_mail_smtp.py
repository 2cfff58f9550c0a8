"""SMTP transport: TLS, authentication and internationalized addresses."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.smtp import AuthResult

from adapters.mail.smtp import SmtpTransport
from application.ports.mailing import MailDelayed, MailRefused
from domain.sub_user import Notice
from tests.mail_server import SMTP_LOGIN, USER, FreePortController, authenticate, write_certificate
from tests.mails import CREDENTIALS_MAIL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session

    from application.ports.mailing import MailTransport

MAIL = replace(CREDENTIALS_MAIL, message_id="0f9d2c4e@portal.example", kind=Notice.RESET)


class Inbox:
    """Message handler that records accepted messages with their sessions."""

    def __init__(self) -> None:
        self.accepted: list[tuple[Session, Envelope]] = []

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.accepted.append((session, envelope))
        return f"250 OK queued as {len(self.accepted)}"


@contextmanager
def serving(**options: Any) -> Iterator[tuple[Inbox, int]]:
    inbox = Inbox()
    server = FreePortController(inbox, hostname="127.0.0.1", port=0, ready_timeout=60.0, **options)
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


def test_mail_is_delivered_with_tls_and_login(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """The mail is sent over TLS by an authenticated client; the server's final reply is returned."""
    with serving(tls_context=server_tls, require_starttls=True, authenticator=authenticate, auth_required=True) as (
        inbox,
        port,
    ):
        reply = transport(f"smtp://{SMTP_LOGIN}@localhost:{port}?ca={certificate}").send(MAIL)
    ((session, envelope),) = inbox.accepted
    message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
    assert reply == "250 OK queued as 1"
    assert session.ssl is not None
    assert session.authenticated
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@portal.example", ["maria.rossi@example.com"])
    assert message["Message-ID"] == "<0f9d2c4e@portal.example>"
    text = next(message.iter_parts())
    assert "correct horse battery" in text.get_content().splitlines()


def test_smtps_is_encrypted_from_the_start(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """The smtps scheme uses implicit TLS and sends credentials."""
    options = {
        "ssl_context": server_tls,
        "authenticator": authenticate,
        "auth_required": True,
        "auth_require_tls": False,
    }
    # aiosmtpd recognizes only STARTTLS as encryption, so it warns about logins over smtps.
    with pytest.warns(UserWarning, match="Requiring AUTH while not requiring TLS"), serving(**options) as (inbox, port):
        reply = transport(f"smtps://{SMTP_LOGIN}@localhost:{port}?ca={certificate}").send(MAIL)
    assert reply == "250 OK queued as 1"
    assert inbox.accepted[0][0].authenticated


def test_starttls_is_used_if_a_local_server_offers_it(certificate: Path, server_tls: ssl.SSLContext) -> None:
    with serving(tls_context=server_tls) as (inbox, port):
        transport(f"smtp://localhost:{port}?ca={certificate}").send(MAIL)
    assert inbox.accepted[0][0].ssl is not None


def test_local_server_without_tls_is_accepted() -> None:
    """A local server without TLS is accepted if the URL holds no credentials."""
    with serving() as (inbox, port):
        assert transport(f"smtp://localhost:{port}").send(MAIL) == "250 OK queued as 1"
    assert inbox.accepted[0][0].ssl is None


@pytest.mark.parametrize("login", ["", f"{SMTP_LOGIN}@"])
def test_nothing_is_sent_without_required_tls(login: str) -> None:
    """If required TLS is not offered, neither credentials nor mail are sent."""
    logins: list[Any] = []

    def record_login(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: Any) -> AuthResult:
        logins.append(login)
        return AuthResult(success=True)

    with (
        serving(authenticator=record_login, auth_require_tls=False) as (inbox, port),
        pytest.raises(MailDelayed) as caught,
    ):
        transport(f"smtp://{login}localhost:{port}?starttls=required").send(MAIL)
    assert "STARTTLS extension not supported" in caught.value.reply
    assert logins == []
    assert inbox.accepted == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_smtp_certificate_of_an_unknown_authority_is_refused(server_tls: ssl.SSLContext, scheme: str) -> None:
    """The mail is delayed and nothing is sent."""
    options = {"ssl_context": server_tls} if scheme == "smtps" else {"tls_context": server_tls}
    with serving(**options) as (inbox, port), pytest.raises(MailDelayed) as caught:
        transport(f"{scheme}://localhost:{port}").send(MAIL)
    assert caught.value.reply.startswith(f"localhost:{port}: its certificate is not trusted: self")
    assert inbox.accepted == []


def test_smtp_certificate_for_another_host_is_refused(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """A trusted certificate is valid only for its own host names."""
    with serving(tls_context=server_tls) as (_, port), pytest.raises(MailDelayed, match="IP address mismatch"):
        transport(f"smtp://127.0.0.1:{port}?ca={certificate}").send(MAIL)


def test_wrong_smtp_credentials_delay_the_mail(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """The operator can correct the password, so the mail is delayed. The reply does not contain the password."""
    with (
        serving(tls_context=server_tls, authenticator=authenticate) as (inbox, port),
        pytest.raises(MailDelayed) as caught,
    ):
        transport(f"smtp://{USER.replace('@', '%40')}:wr0ng@localhost:{port}?ca={certificate}").send(MAIL)
    assert caught.value.reply.startswith("535 ")
    assert "wr0ng" not in caught.value.reply
    assert inbox.accepted == []


def test_missing_smtp_login_delays_the_mail(certificate: Path, server_tls: ssl.SSLContext) -> None:
    """Status 530 refuses the sender but says nothing about the mail."""
    options = {"tls_context": server_tls, "authenticator": authenticate, "auth_required": True}
    with serving(**options) as (_, port), pytest.raises(MailDelayed, match=r"^530 "):
        transport(f"smtp://localhost:{port}?ca={certificate}").send(MAIL)


def test_non_ascii_address_is_sent_to_a_server_with_smtputf8() -> None:
    """The envelope carries the address unchanged if the server supports SMTPUTF8."""
    with serving(enable_SMTPUTF8=True) as (inbox, port):
        transport(f"smtp://localhost:{port}").send(replace(MAIL, to="märia@example.com"))
    assert inbox.accepted[0][1].rcpt_tos == ["märia@example.com"]


def test_non_ascii_address_is_refused_without_smtputf8() -> None:
    """Without SMTPUTF8 a retry cannot succeed, so the mail is refused for good."""
    with serving(enable_SMTPUTF8=False) as (_, port), pytest.raises(MailRefused, match="SMTPUTF8"):
        transport(f"smtp://localhost:{port}").send(replace(MAIL, to="märia@example.com"))
