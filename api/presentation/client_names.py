"""Names of clients in words: browser, device, and place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babel import Locale

if TYPE_CHECKING:
    from application.ports.devices.client_details import ClientDetails


def device_name(client: ClientDetails) -> str:
    """Return the browser and the device, such as "Firefox · Windows"; "" if neither is known."""
    return " · ".join(name for name in (client.browser, client.device) if name)


def place_name(client: ClientDetails, language: str) -> str:
    """Return the city and the country, such as "Milan, Italy"; "" if neither is known."""
    country = Locale.parse(language).territories.get(client.country or "", client.country)
    return ", ".join(name for name in (client.city, country) if name)
