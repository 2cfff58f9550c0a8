"""SMTP server for tests that requires STARTTLS, with its own certificate, and authentication."""

from __future__ import annotations

import logging
import ssl
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of an attribute of its own at every login

USER, PASSWORD = "me@portal.example", "p/w?#@:+%"
SMTP_LOGIN = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
"""The user and password, percent-encoded for a URL."""


class Mailbox:
    """Mail handler that keeps every accepted mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.original_content or b"", policy=policy.default))
        return f"250 OK queued as {len(self.mails)}"


class FreePortController(Controller):
    """SMTP controller on a free port, chosen by the operating system."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()  # type: ignore[no-untyped-call]


def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: Any) -> AuthResult:
    is_valid = isinstance(login, LoginPassword) and (login.login, login.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_valid, handled=False)


@contextmanager
def mail_server(folder: Path) -> Iterator[tuple[Mailbox, str]]:
    """Run an SMTP server that requires TLS and a login; yield its mailbox and its URL."""
    mailbox, certificate = Mailbox(), write_certificate(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    options: Any = {"tls_context": tls, "require_starttls": True, "authenticator": authenticate, "auth_required": True}
    server = FreePortController(mailbox, hostname="127.0.0.1", port=0, ready_timeout=60.0, **options)
    server.start()
    try:
        yield mailbox, f"smtp://{SMTP_LOGIN}@localhost:{server.port}?ca={quote(str(certificate))}"
    finally:
        server.stop()


def write_certificate(folder: Path) -> Path:
    """Write a private key and a self-signed certificate for localhost into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "mail-server.pem"
    private_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private_key + certificate.public_bytes(serialization.Encoding.PEM))
    return file
