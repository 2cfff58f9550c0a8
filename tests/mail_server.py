"""A mail server for tests, as demanding as a real one: STARTTLS with a certificate of its own, and a login."""

from __future__ import annotations

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

USER, PASSWORD = "me@portal.example", "p/w?#@:+%"
CREDENTIALS = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
"""As a URL has them."""


class Mailbox:
    """Keeps every mail that the server took, and what it answered."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.original_content or b"", policy=policy.default))
        return f"250 OK queued as {len(self.mails)}"

    @staticmethod
    def text_of(mail: EmailMessage) -> str:
        """Return the plain text of a mail."""
        body = mail.get_body(("plain",))
        assert body is not None
        text: str = body.get_content()
        return text


class AnyPort(Controller):
    """A server on whatever port is free, known once it listens."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()  # type: ignore[no-untyped-call]


def accept(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
    good = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


@contextmanager
def mail_server(folder: Path) -> Iterator[tuple[Mailbox, str]]:
    """Run a server that takes mail encrypted and from whom it knows; yield its mailbox, and the URL to reach it."""
    mailbox, certificate = Mailbox(), write_certificate(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    options: Any = {"tls_context": tls, "require_starttls": True, "authenticator": accept, "auth_required": True}
    server = AnyPort(mailbox, hostname="127.0.0.1", port=0, ready_timeout=60.0, **options)
    server.start()
    try:
        yield mailbox, f"smtp://{CREDENTIALS}@localhost:{server.port}?ca={quote(str(certificate))}"
    finally:
        server.stop()


def write_certificate(folder: Path) -> Path:
    """Write a key, and a certificate for localhost that no public authority knows, into one file."""
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
    signed = (
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
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file
