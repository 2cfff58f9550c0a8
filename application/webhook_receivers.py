"""Where webhooks may be sent: to the public Internet, encrypted; elsewhere only where the operator says so."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from application.errors import InvalidValue

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_URL = 2000
URL = r"^https?://[\x21-\x7e]+$"
"""No space, nothing beyond ASCII: what is more is percent-encoded, and a host is in its ASCII form."""

HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
DEFAULT_PORTS = {"https": 443, "http": 80}
FIRST_FREE_PORT = 1024
"""Below it live other services, which nobody is to be made to talk to; 443 is the exception."""

EMBEDDING_IPV4 = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: a gateway forwards what is sent there to the IPv4 address in its last 32 bits."""

DOCUMENTATION = ipaddress.ip_network("3fff::/20")
"""RFC 9637: newer than what some versions of Python know."""


@dataclass(frozen=True)
class Target:
    """A URL, taken apart. `path` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Receivers:
    """Who may receive. `networks` and `hosts` are what the operator allows besides the public Internet."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    def target(self, url: str) -> Target:
        """Return where a URL leads. Raises `InvalidValue` where nothing may be sent, as far as the URL shows."""
        target = _taken_apart(url)
        literal = _literal(target.host)
        if literal is not None and not self.allow(target.host, literal):
            raise _invalid("must not be a private or reserved address")
        if self._are_named(target.host, literal):
            return target
        if target.scheme != "https":
            raise _invalid("must begin with https://")
        if target.port != DEFAULT_PORTS["https"] and target.port < FIRST_FREE_PORT:
            raise _invalid(f"must be on port {DEFAULT_PORTS['https']}, or {FIRST_FREE_PORT} or above")
        return target

    def allow(self, host: str, address: Address) -> bool:
        """Say whether something may be sent to an address that a host has."""
        return is_public(address) or self._are_named(host, address)

    def _are_named(self, host: str, address: Address | None) -> bool:
        return host in self.hosts or (address is not None and any(address in network for network in self.networks))


def is_public(address: Address) -> bool:
    """Say whether an address is one of the public Internet, whatever form it is written in."""
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not (
        address in DOCUMENTATION
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_loopback
        or address.is_link_local
        or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )


def plain(address: Address) -> Address:
    """Return an IPv4 address that is written as an IPv6 one as what it is."""
    return getattr(address, "ipv4_mapped", None) or address


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that what is sent to an IPv6 one comes out at, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in EMBEDDING_IPV4:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _taken_apart(url: str) -> Target:
    if len(url) > LONGEST_URL or not re.fullmatch(URL, url) or "\\" in url:
        raise _invalid(f"must be a URL of at most {LONGEST_URL} visible ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _invalid("is not a URL") from None
    if "@" in parts.netloc:
        raise _invalid("must not hold a user or a password")
    if port == 0 or not (HOST.fullmatch(host) or _literal(host)):
        raise _invalid("must name a host")
    if parts.fragment:
        raise _invalid("must not have a fragment")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path)


def _literal(host: str) -> Address | None:
    try:
        return plain(ipaddress.ip_address(host))
    except ValueError:
        return None


def _invalid(reason: str) -> InvalidValue:
    return InvalidValue("url", reason)
