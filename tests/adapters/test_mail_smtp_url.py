"""Mail server URL: defaults, TLS, credentials and errors."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from adapters.mail.smtp import SmtpTransport
from adapters.mail.smtp_url import StartTls, parse_smtp_url

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "host", "port", "starttls"),
    [
        ("smtp://mail.example.com", "mail.example.com", 25, StartTls.REQUIRED),
        ("smtp://u:p@mail.example.com", "mail.example.com", 587, StartTls.REQUIRED),
        ("smtps://mail.example.com", "mail.example.com", 465, None),
        ("SMTPS://u:p@mail.example.com:2465/", "mail.example.com", 2465, None),
        ("smtp://localhost:1025", "localhost", 1025, StartTls.OPPORTUNISTIC),
        ("smtp://127.0.0.53", "127.0.0.53", 25, StartTls.OPPORTUNISTIC),
        ("smtp://[::1]:25", "::1", 25, StartTls.OPPORTUNISTIC),
        ("smtp://10.0.0.1", "10.0.0.1", 25, StartTls.REQUIRED),
        ("smtp://localhost.example.com", "localhost.example.com", 25, StartTls.REQUIRED),
        ("smtp://u:p@localhost", "localhost", 587, StartTls.REQUIRED),
        ("smtp://mail:1025?starttls=off", "mail", 1025, StartTls.OFF),
        ("smtp://mail?starttls=opportunistic", "mail", 25, StartTls.OPPORTUNISTIC),
        ("smtp://localhost?starttls=required", "localhost", 25, StartTls.REQUIRED),
    ],
)
def test_smtp_url_defaults_require_tls(url: str, host: str, port: int, starttls: StartTls | None) -> None:
    """TLS is required unless the server is local or the URL relaxes it."""
    server = parse_smtp_url(url)
    assert (server.host, server.port, server.starttls) == (host, port, starttls)


def test_smtp_certificates_are_always_verified() -> None:
    for url in ("smtp://mail", "smtps://mail", "smtp://localhost", "smtp://mail?starttls=opportunistic"):
        tls = parse_smtp_url(url).tls
        assert tls.verify_mode is ssl.CERT_REQUIRED
        assert tls.check_hostname


def test_smtp_credentials_are_percent_decoded() -> None:
    """User and password may contain any ASCII character; a plus sign is literal."""
    server = parse_smtp_url("smtp://me%40example.com:a%2Fb%3F%23%40+%25@mail")
    assert (server.user, server.password) == ("me@example.com", "a/b?#@+%")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "must start with smtp:// or smtps://"),
        (f"http://u:{SECRET}@mail", "must start with smtp:// or smtps://"),
        (f"u:{SECRET}@mail", "must start with smtp:// or smtps://"),
        ("smtp://", "must be of the form"),
        (f"smtp://u:{SECRET}@", "must be of the form"),
        (f"smtp://u:{SECRET}/x@mail", "must be of the form"),
        (f"smtp://u:1/{SECRET}@mail", "must be of the form"),
        (f"smtp://u:1#{SECRET}@mail", "must be of the form"),
        (f"smtp://u:{SECRET}@x@mail", "must be of the form"),
        (f"smtp://u:{SECRET}\u2100@mail", "must be of the form"),
        (f"smtp://u:[{SECRET}@mail", "must be of the form"),
        (f"smtp://u:{SECRET}@mail:{SECRET}", "must be of the form"),
        (f"smtp://u:{SECRET}@mail:70000", "must be of the form"),
        (f"smtp://u:{SECRET}@mail:0", "must be of the form"),
        (f"smtp://u:{SECRET}@mail..example", "must be of the form"),
        (f"smtp://u:{SECRET}@mail/inbox", "must be of the form"),
        (f"smtp://u:{SECRET}@mail\n", "must be of the form"),
        (f"smtp://u:1?{SECRET}@mail", "takes the options starttls and ca"),
        (f"smtp://u:{SECRET}@mail?starttls=required&starttls=required", "takes the options starttls and ca"),
        (f"smtp://{SECRET}@mail", "both a user and a password"),
        (f"smtp://:{SECRET}@mail", "both a user and a password"),
        ("smtp://u:@mail", "both a user and a password"),
        (f"smtp://u:{SECRET}%C3%A9@mail", "must be ASCII"),
        (f"smtp://u:{SECRET}%FF@mail", "must be ASCII"),
        (f"smtp://u:{SECRET}@mail?starttls=off", "needs starttls=required"),
        (f"smtp://u:{SECRET}@localhost?starttls=opportunistic", "needs starttls=required"),
        (f"smtp://u:{SECRET}@mail?starttls={SECRET}", "is one of required, opportunistic, off"),
        (f"smtps://u:{SECRET}@mail?starttls=required", "is for smtp://"),
        (f"smtps://u:{SECRET}@mail?ca=", "needs a path"),
        (f"smtps://u:{SECRET}@mail?ca=/nowhere/ca.pem", "cannot use '/nowhere/ca.pem' .*: No such file or directory"),
        ("smtps://mail?ca=/nowhere%0A/ca.pem", "cannot use .*: No such file or directory"),
        ("smtps://mail?ca=/nowhere%00/ca.pem", "cannot use .*: embedded null"),
    ],
)
def test_invalid_smtp_url_is_reported_without_the_password(url: str, message: str) -> None:
    """The message is logged, so it must not contain the password."""
    with pytest.raises(ValueError, match=message) as caught:
        SmtpTransport(url, sender="no-reply@example.com")
    assert len(str(caught.value).splitlines()) == 1
    assert SECRET not in str(caught.value)


def test_file_without_a_certificate_is_named_in_the_error(tmp_path: Path) -> None:
    """The certificate file is checked at start-up, not at the first mail."""
    file = tmp_path / "ca+more.pem"
    file.write_text("not a certificate")
    with pytest.raises(ValueError, match=r"cannot use .*ca\+more\.pem' .*: it holds no certificate"):
        parse_smtp_url(f"smtps://mail?ca={file}")


def test_smtp_password_is_not_in_repr() -> None:
    """Logs and tracebacks show only host and port."""
    url = f"smtp://me:{SECRET}@mail.example.com"
    transport = SmtpTransport(url, sender="no-reply@example.com")
    assert repr(transport) == "SmtpTransport(mail.example.com:587)"
    assert SECRET not in repr(parse_smtp_url(url))


def test_invalid_sender_is_refused_at_start_up() -> None:
    with pytest.raises(ValueError, match="sender of mails"):
        SmtpTransport("smtp://localhost", sender="nobody")
