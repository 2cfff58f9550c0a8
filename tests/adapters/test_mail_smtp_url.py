"""What the URL of a mail server may say."""

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
def test_defaults_are_the_safe_ones(url: str, host: str, port: int, starttls: StartTls | None) -> None:
    """Encryption is required unless nothing leaves the machine, or the operator asks for less."""
    server = parse_smtp_url(url)
    assert (server.host, server.port, server.starttls) == (host, port, starttls)


def test_certificates_are_verified() -> None:
    """Every connection checks the server's certificate and its name, whatever the options."""
    for url in ("smtp://mail", "smtps://mail", "smtp://localhost", "smtp://mail?starttls=opportunistic"):
        tls = parse_smtp_url(url).tls
        assert tls.verify_mode is ssl.CERT_REQUIRED
        assert tls.check_hostname


def test_credentials_are_percent_decoded() -> None:
    """Any ASCII character can be in a user or password; a plus sign is a plus sign."""
    server = parse_smtp_url("smtp://me%40example.com:a%2Fb%3F%23%40+%25@mail")
    assert (server.user, server.password) == ("me@example.com", "a/b?#@+%")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "must start with smtp:// or smtps://"),
        (f"http://u:{SECRET}@mail", "must start with smtp:// or smtps://"),
        (f"u:{SECRET}@mail", "must start with smtp:// or smtps://"),
        ("smtp://", "is not of the form"),
        (f"smtp://u:{SECRET}@", "is not of the form"),
        (f"smtp://u:{SECRET}/x@mail", "is not of the form"),
        (f"smtp://u:1/{SECRET}@mail", "is not of the form"),
        (f"smtp://u:1#{SECRET}@mail", "is not of the form"),
        (f"smtp://u:{SECRET}@x@mail", "is not of the form"),
        (f"smtp://u:{SECRET}\u2100@mail", "is not of the form"),
        (f"smtp://u:[{SECRET}@mail", "is not of the form"),
        (f"smtp://u:{SECRET}@mail:{SECRET}", "is not of the form"),
        (f"smtp://u:{SECRET}@mail:70000", "is not of the form"),
        (f"smtp://u:{SECRET}@mail:0", "is not of the form"),
        (f"smtp://u:{SECRET}@mail..example", "is not of the form"),
        (f"smtp://u:{SECRET}@mail/inbox", "is not of the form"),
        (f"smtp://u:{SECRET}@mail\n", "is not of the form"),
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
        (f"smtps://u:{SECRET}@mail?ca=/nowhere/ca.pem", "cannot use /nowhere/ca.pem .*: No such file or directory"),
    ],
)
def test_a_bad_url_is_one_clear_line_without_the_password(url: str, message: str) -> None:
    """The operator reads what is wrong, on one line, and so may everybody who reads the log."""
    with pytest.raises(ValueError, match=message) as caught:
        SmtpTransport(url, sender="no-reply@example.com")
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_authority_without_a_certificate_is_named(tmp_path: Path) -> None:
    """A file that is no certificate is found out at the start, not at the first mail."""
    file = tmp_path / "ca+more.pem"
    file.write_text("not a certificate")
    with pytest.raises(ValueError, match=r"cannot use .*ca\+more\.pem .*: it holds no certificate"):
        parse_smtp_url(f"smtps://mail?ca={file}")


def test_the_password_never_shows_in_a_repr() -> None:
    """What lands in logs and tracebacks names the server only."""
    url = f"smtp://me:{SECRET}@mail.example.com"
    transport = SmtpTransport(url, sender="no-reply@example.com")
    assert repr(transport) == "SmtpTransport(mail.example.com:587)"
    assert SECRET not in repr(parse_smtp_url(url))


def test_a_bad_sender_is_refused_at_once() -> None:
    """A sender that no server would take is found out at the start."""
    with pytest.raises(ValueError, match="sender of mails"):
        SmtpTransport("smtp://localhost", sender="nobody")
