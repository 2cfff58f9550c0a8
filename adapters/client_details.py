"""Descriptions of clients: user agents parsed by uap-core's rules, and places from a GeoIP database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import maxminddb
from babel import Locale
from ua_parser import parse

from application.ports.sign_in.client_details import ClientDetails

if TYPE_CHECKING:
    from pathlib import Path

    from ua_parser import OS, Device

SYSTEM_NAMES = {"Mac OS X": "Mac", "Chrome OS": "ChromeOS"}
"""Names of systems that people know better than those of the rules."""

UNNAMED_BRANDS = frozenset({"Generic", "Generic_Android", "Spider"})
"""Brands by which the rules mark devices that they do not know. Then the name of the system says more."""

VARIANTS = frozenset({"Mobile", "iOS", "WebView", "UI/WKWebView"})
"""Words in the names of browsers that only repeat what the device says."""


class UserAgentAndGeoIpDescriber:
    """Describes clients. Without the GeoIP database (`.mmdb`) of a path, places are unknown."""

    def __init__(self, geoip_database: Path | None) -> None:
        """Open the database. Raises `OSError` or `maxminddb.InvalidDatabaseError` if the database cannot be read."""
        self._places = maxminddb.open_database(geoip_database) if geoip_database is not None else None

    def describe(self, ip: str | None, user_agent: str | None) -> ClientDetails:
        """Return what is known of a client with this IP address and user agent."""
        parsed = parse(user_agent or "")
        browser = parsed.user_agent.family if parsed.user_agent is not None else ""
        country, city = self._place(ip)
        return ClientDetails(
            browser=" ".join(word for word in browser.split() if word not in VARIANTS) or None,
            device=_device_name(parsed.device, parsed.os),
            country=country,
            city=city,
        )

    def place_name(self, client: ClientDetails, language: str) -> str | None:
        """Return the place of a client in words, such as "Milan, Italy"; None if it is unknown."""
        country = Locale.parse(language).territories.get(client.country or "", client.country)
        return ", ".join(name for name in (client.city, country) if name) or None

    def _place(self, ip: str | None) -> tuple[str | None, str | None]:
        if self._places is None or ip is None:
            return None, None
        try:
            record = self._places.get(ip)
        except (ValueError, maxminddb.InvalidDatabaseError):  # an IPv6 address in a database of IPv4 addresses
            return None, None
        return _text(record, "country", "iso_code"), _text(record, "city", "names", "en")


def _device_name(device: Device | None, system: OS | None) -> str | None:
    if device is not None and device.brand is not None and device.brand not in UNNAMED_BRANDS:
        return device.model if device.brand == "Apple" and device.model else device.family
    return SYSTEM_NAMES.get(system.family, system.family) if system is not None else None


def _text(record: Any, *path: str) -> str | None:
    """Return the text at a path of a record, which can be missing or of another type."""
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record if isinstance(record, str) and record else None
