"""Broker URL: parsing, TLS settings, and error messages that reveal no secret."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from adapters.amqp.broker_url import parse_broker_url
from adapters.amqp.rabbitmq import RabbitMq
from tests.mail_server import write_certificate

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://host", ("host", 5672, "/", "guest", "guest", False)),
        ("amqps://host/", ("host", 5671, "/", "guest", "guest", True)),
        ("amqp://me:p%2Fw%40@host:1234/one", ("host", 1234, "one", "me", "p/w@", False)),
        ("amqp://me:pw@[::1]/%2Fslashed", ("::1", 5672, "/slashed", "me", "pw", False)),
    ],
)
def test_broker_url_is_parsed(url: str, expected: tuple[object, ...]) -> None:
    server = parse_broker_url(url)
    assert (server.host, server.port, server.vhost, server.user, server.password, server.encrypted) == expected


@pytest.mark.parametrize(
    "url",
    [
        f"amqp://me:{SECRET}/x@host",
        f"amqp://me:{SECRET}@host:{SECRET}",
        f"amqp://me:{SECRET}@ho[st",
        f"amqp://me@{SECRET}@host",
        f"amqp://me:{SECRET}@host:0",
        f"amqp://me:{SECRET}@host/a/{SECRET}",
        f"amqp://me:{SECRET}@host#{SECRET}",
        f"amqp://me:{SECRET}@host?{SECRET}=1",
        f"amqp://me:{SECRET}@host?ca=/etc/ssl/cert.pem",
        f"amqps://me:{SECRET}@host?ca=",
        f"amqps://me:{SECRET}@host?ca=/nowhere/at/all",
        f"amqps://me:{SECRET}@host?ca=/nowhere%0A/at/all",
        f"amqps://me:{SECRET}@host?ca=/nowhere%00/at/all",
        f"amqps://me:{SECRET}@host?ca=/dev/null",
        f"amqp://:{SECRET}@host",
        f"redis://me:{SECRET}@host",
        f"amqp://me:{SECRET}@{'x' * 64}.example",
        "amqp://",
    ],
)
def test_invalid_broker_url_is_refused_without_revealing_secrets(url: str) -> None:
    """The message is a single line."""
    with pytest.raises(ValueError, match="broker's") as caught:
        RabbitMq(url)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_broker_certificate_is_always_verified(tmp_path: Path) -> None:
    """The system's authorities are trusted unless the URL names a certificate file."""
    certificate = write_certificate(tmp_path)
    default = parse_broker_url("amqps://host").tls
    named = parse_broker_url(f"amqps://host?ca={certificate}").tls
    assert isinstance(default, dict)
    assert isinstance(named, dict)
    for options in (default, named):
        assert (options["cert_reqs"], options["server_hostname"]) == (ssl.CERT_REQUIRED, "host")
    assert (default["ca_certs"], named["ca_certs"]) == (None, str(certificate))


def test_broker_password_is_not_in_repr() -> None:
    url = f"amqp://me:{SECRET}@host"
    assert SECRET not in repr(RabbitMq(url)) + repr(parse_broker_url(url))
