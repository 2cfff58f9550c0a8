"""How the operator's product presents itself in the console and in mails."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Logo:
    """A picture, with its media type."""

    content: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True)
class Branding:
    """Name, logo and accent color (#rrggbb) of the product, and where people find the portal and support.

    `support_address` is an e-mail address or the URL of a page. Times in mails are in `time_zone`.
    """

    product_name: str = "subusers"
    logo: Logo | None = None
    accent_color: str | None = None
    portal_url: str | None = None
    support_address: str | None = None
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    @property
    def support_url(self) -> str | None:
        """The support address as a link."""
        if self.support_address is None or "://" in self.support_address:
            return self.support_address
        return f"mailto:{self.support_address}"
