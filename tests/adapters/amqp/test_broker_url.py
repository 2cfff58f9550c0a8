"""The broker's URL is understood, or refused in one line that gives away nothing of it."""

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
def test_what_a_url_says(url: str, expected: tuple[object, ...]) -> None:
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
        f"amqps://me:{SECRET}@host?ca=/dev/null",
        f"amqp://:{SECRET}@host",
        f"redis://me:{SECRET}@host",
        f"amqp://me:{SECRET}@{'x' * 64}.example",
        "amqp://",
    ],
)
def test_what_is_wrong_is_told_without_a_secret(url: str) -> None:
    """In one line."""
    with pytest.raises(ValueError, match="broker's") as caught:
        RabbitMq(url)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_certificates_are_always_verified(tmp_path: Path) -> None:
    """With the system's authorities, or the one that is named."""
    certificate = write_certificate(tmp_path)
    usual = parse_broker_url("amqps://host").tls
    named = parse_broker_url(f"amqps://host?ca={certificate}").tls
    assert isinstance(usual, dict)
    assert isinstance(named, dict)
    for terms in (usual, named):
        assert (terms["cert_reqs"], terms["server_hostname"]) == (ssl.CERT_REQUIRED, "host")
    assert (usual["ca_certs"], named["ca_certs"]) == (None, str(certificate))


def test_the_password_is_in_no_repr() -> None:
    url = f"amqp://me:{SECRET}@host"
    assert SECRET not in repr(RabbitMq(url)) + repr(parse_broker_url(url))
