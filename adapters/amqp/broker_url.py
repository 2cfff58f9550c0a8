"""Parsing and validation of a message broker's URL."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_MALFORMED = (
    "the broker's URL must be of the form amqp://user:password@host:port/vhost or amqps://…; percent-encode special "
    "characters"
)


@dataclass(frozen=True)
class AmqpServer:
    """Address and credentials of a broker.

    `ca_file` has the certificates of the only authorities to trust. None means the certificates of the system.
    """

    host: str
    port: int
    vhost: str
    user: str
    password: str = field(repr=False)
    encrypted: bool
    ca_file: str | None = None

    @property
    def tls(self) -> dict[str, Any] | bool:
        """TLS options for py-amqp; False without encryption.

        py-amqp's defaults verify neither the certificate nor the host name. These options always verify both.
        """
        if not self.encrypted:
            return False
        return {
            "cert_reqs": ssl.CERT_REQUIRED,
            "server_hostname": self.host,
            "ca_certs": self.ca_file,
            "tls_minimum_version": ssl.TLSVersion.TLSv1_2,
        }


def parse_broker_url(url: str) -> AmqpServer:
    """Parse a broker URL. Its only option is `ca=/path.pem`, the only certificate authority to trust.

    Raises `ValueError` with a message of a single line. It contains nothing of the URL but the quoted path of `ca`,
    because any other part of a malformed URL can belong to the password.
    """
    parts, port = _split_and_validate(url)
    user, password = _credentials(parts)
    encrypted = parts.scheme == "amqps"
    return AmqpServer(
        host=parts.hostname or "",
        port=port or (5671 if encrypted else 5672),
        vhost=unquote(parts.path[1:]) or "/",
        user=user,
        password=password,
        encrypted=encrypted,
        ca_file=_ca_file(parts.query, encrypted=encrypted),
    )


def _split_and_validate(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")  # fails here, as connecting would
    except ValueError:
        raise ValueError(_MALFORMED) from None  # the parser's message can quote the password
    is_usable = parts.scheme in {"amqp", "amqps"} and parts.hostname and port != 0 and url.isprintable()
    if not is_usable or _has_unencoded_characters(parts):
        raise ValueError(_MALFORMED)
    return parts, port


def _has_unencoded_characters(parts: SplitResult) -> bool:
    """Return whether a special character of the password or the vhost has split the URL at the wrong place."""
    return "/" in parts.path[1:] or "@" in parts.path or bool(parts.fragment) or parts.netloc.count("@") > 1


def _credentials(parts: SplitResult) -> tuple[str, str]:
    if "@" not in parts.netloc:
        return "guest", "guest"  # RabbitMQ's default, accepted from its own host only
    if not parts.username or not parts.password:
        raise ValueError("the broker's URL needs both a user and a password, or neither")
    return unquote(parts.username), unquote(parts.password)


def _ca_file(query: str, *, encrypted: bool) -> str | None:
    if not query:
        return None
    name, _, value = query.partition("=")
    path = unquote(value)
    if name != "ca" or "&" in value or not path:
        raise ValueError("the broker's URL has an unknown option; only ca, the path of a certificate file, is allowed")
    if not encrypted:
        raise ValueError("the broker's URL has the option ca without encryption; use amqps://")
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:  # a ValueError for a null character
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else getattr(error, "strerror", error)
        raise ValueError(f"cannot use {path!r} as the broker's certificate authority: {reason}") from None
    return path
