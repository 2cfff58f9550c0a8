"""What the URL of a message broker says, checked before anything is sent to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_MALFORMED = (
    "the broker's URL is not of the form amqp://user:password@host:port/vhost or amqps://…, with special characters "
    "percent-encoded"
)


@dataclass(frozen=True)
class AmqpServer:
    """A broker and how to talk to it. `authority` is a file with the only certificates to trust; None: the system's."""

    host: str
    port: int
    vhost: str
    user: str
    password: str = field(repr=False)
    encrypted: bool
    authority: str | None = None

    @property
    def tls(self) -> dict[str, Any] | bool:
        """The terms of an encrypted connection, as py-amqp has them; False without encryption.

        Its own defaults verify neither the certificate nor the name in it: these do, always.
        """
        if not self.encrypted:
            return False
        return {
            "cert_reqs": ssl.CERT_REQUIRED,
            "server_hostname": self.host,
            "ca_certs": self.authority,
            "tls_minimum_version": ssl.TLSVersion.TLSv1_2,
        }


def parse_broker_url(url: str) -> AmqpServer:
    """Return the broker that the URL names. The one option is `ca=/path.pem`, the only authority to trust.

    Raises `ValueError` with one line that quotes nothing of the URL but the path of the authority: in a malformed URL
    any piece may be a part of the password.
    """
    parts, port = _split(url)
    user, password = _credentials(parts)
    encrypted = parts.scheme == "amqps"
    return AmqpServer(
        host=parts.hostname or "",
        port=port or (5671 if encrypted else 5672),
        vhost=unquote(parts.path[1:]) or "/",
        user=user,
        password=password,
        encrypted=encrypted,
        authority=_authority(parts.query, encrypted=encrypted),
    )


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")  # what connecting does, where a failure would pass for a bug
    except ValueError:
        raise ValueError(_MALFORMED) from None  # the parser's own words may quote a password
    misplaced = "/" in parts.path[1:] or "@" in parts.path or parts.fragment or parts.netloc.count("@") > 1
    unusable = parts.scheme not in ("amqp", "amqps") or not parts.hostname or port == 0 or not url.isprintable()
    if misplaced or unusable:
        raise ValueError(_MALFORMED)
    return parts, port


def _credentials(parts: SplitResult) -> tuple[str, str]:
    if "@" not in parts.netloc:
        return "guest", "guest"  # what RabbitMQ has at first, for connections from its own machine
    if not parts.username or not parts.password:
        raise ValueError("the broker's URL needs both a user and a password, or neither")
    return unquote(parts.username), unquote(parts.password)


def _authority(query: str, *, encrypted: bool) -> str | None:
    if not query:
        return None
    name, _, value = query.partition("=")
    path = unquote(value)
    if name != "ca" or "&" in value or not path:
        raise ValueError("the broker's URL takes one option: ca, the path of a certificate authority's file")
    if not encrypted:
        raise ValueError("the option ca of the broker's URL is for amqps://")
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"cannot use {path} as the broker's certificate authority: {reason}") from None
    return path
