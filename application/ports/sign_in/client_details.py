"""Port: what is known of a client, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ClientDetails:
    """Browser, and device or system, that a user agent names, and where an IP address is. None if unknown.

    `country` is a code of ISO 3166-1 alpha-2, `city` a name in English.
    """

    browser: str | None = None
    device: str | None = None
    country: str | None = None
    city: str | None = None

    @property
    def device_name(self) -> str | None:
        """Browser and device in words, such as "Firefox · Windows"; None if neither is known."""
        return " · ".join(name for name in (self.browser, self.device) if name) or None


class ClientDescriber(Protocol):
    """Describes clients."""

    def describe(self, ip: str | None, user_agent: str | None) -> ClientDetails:
        """Return what is known of a client with this IP address and user agent."""

    def place_name(self, client: ClientDetails, language: str) -> str | None:
        """Return the place of a client in words, such as "Milan, Italy"; None if it is unknown."""
