"""Policy for webhook URLs: HTTPS to the public Internet, and other receivers that the operator allows."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from application.errors import InvalidValue

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL_LENGTH = 2000
URL_PATTERN = r"^https?://[\x21-\x7e]+$"
"""Visible ASCII only: other characters must be percent-encoded, and host names in their ASCII form."""

HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
DEFAULT_PORTS = {"https": 443, "http": 80}
MIN_PORT = 1024
"""Lowest allowed port besides 443. Requests to lower ports could reach services other than webhook receivers."""

NAT64_PREFIX = ipaddress.ip_network("64:ff9b::/96")
"""Well-known prefix (RFC 6052): a NAT64 gateway forwards packets to the IPv4 address in the last 32 bits."""

DOCUMENTATION_NETWORK = ipaddress.ip_network("3fff::/20")
"""RFC 9637. Some supported versions of Python do not know this network."""


@dataclass(frozen=True)
class Target:
    """Parsed URL. `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class WebhookUrlPolicy:
    """Allowed receivers. The operator allows `networks` and `hosts` in addition to the public Internet."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    def parse_allowed(self, url: str) -> Target:
        """Return the target of an allowed URL. Raises `InvalidValue`. This does not resolve the host name."""
        target = _parse(url)
        literal_address = _literal_address(target.host)
        if literal_address is not None and not self.allows(target.host, literal_address):
            raise _invalid("must not be a private or reserved address")
        if self._is_allowed_by_operator(target.host, literal_address):
            return target
        if target.scheme != "https":
            raise _invalid("must begin with https://")
        if target.port != DEFAULT_PORTS["https"] and target.port < MIN_PORT:
            raise _invalid(f"must be on port {DEFAULT_PORTS['https']}, or {MIN_PORT} or above")
        return target

    def allows(self, host: str, address: Address) -> bool:
        """Return whether webhooks may be sent to a host at an address."""
        return is_public(address) or self._is_allowed_by_operator(host, address)

    def _is_allowed_by_operator(self, host: str, address: Address | None) -> bool:
        return host in self.hosts or (address is not None and any(address in network for network in self.networks))


def is_public(address: Address) -> bool:
    """Return whether an address is public, also if it is an IPv4 address embedded in IPv6."""
    embedded = _embedded_ipv4(address)
    if embedded is not None:
        return is_public(embedded)
    return address.is_global and not (
        address in DOCUMENTATION_NETWORK
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_loopback
        or address.is_link_local
        or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )


def ipv4_unmapped(address: Address) -> Address:
    """Return the IPv4 address of an IPv4-mapped IPv6 address, and other addresses unchanged."""
    return getattr(address, "ipv4_mapped", None) or address


def _embedded_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address to which packets for an IPv6 address are forwarded, if any."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in NAT64_PREFIX:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _parse(url: str) -> Target:
    if len(url) > MAX_URL_LENGTH or not re.fullmatch(URL_PATTERN, url) or "\\" in url:
        raise _invalid(f"must be a URL of at most {MAX_URL_LENGTH} visible ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _invalid("is not a URL") from None
    if "@" in parts.netloc:
        raise _invalid("must not contain a user name or a password")
    if port == 0 or not (HOST.fullmatch(host) or _literal_address(host)):
        raise _invalid("must name a host")
    if parts.fragment:
        raise _invalid("must not have a fragment")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path)


def _literal_address(host: str) -> Address | None:
    try:
        return ipv4_unmapped(ipaddress.ip_address(host))
    except ValueError:
        return None


def _invalid(reason: str) -> InvalidValue:
    return InvalidValue("url", reason)
