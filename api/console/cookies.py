"""The console's cookies. Scripts cannot read them, except for the time zone, which a script sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, after_this_request

from api.http.authentication import service


@dataclass(frozen=True)
class Cookie:
    """A cookie. Without `max_age_seconds`, it lasts until the browser is closed."""

    suffix: str
    max_age_seconds: int | None = None

    @property
    def name(self) -> str:
        """The full name. Over TLS it has the prefix __Host-, so that browsers accept it only from this host."""
        return f"__Host-subusers-{self.suffix}" if is_behind_tls() else f"subusers-{self.suffix}"


DAY_SECONDS = 24 * 3600
YEAR_SECONDS = 365 * DAY_SECONDS

SESSION = Cookie("session", DAY_SECONDS)
"""The session's token. Sessions last a day at most."""

DEVICE = Cookie("device", 400 * DAY_SECONDS)
"""The browser's ids as a device, see `api.console.device_cookie`. Browsers keep no cookie for longer."""

CSRF = Cookie("form")
"""The random value that CSRF tokens are bound to, see `api.console.csrf`."""

FLASH = Cookie("notice", 60)
"""The flash message for the next page, see `api.console.flash`."""

MAILBOX = Cookie("mailbox", 30 * DAY_SECONDS)
"""The token that unlocks the mailbox."""

LANGUAGE = Cookie("language", YEAR_SECONDS)
TIME_ZONE = Cookie("time-zone", YEAR_SECONDS)
THEME = Cookie("theme", YEAR_SECONDS)
"""The visitor's preferences."""

BROWSER_TIME_ZONE = "subusers-browser-time-zone"
"""The browser's time zone, set by a script."""


def is_behind_tls() -> bool:
    """Return whether visitors connect over TLS."""
    return service().settings.public_url.startswith("https://")


def set_cookie(cookie: Cookie, value: str) -> None:
    """Set a cookie in the current response."""

    def add(response: Response) -> Response:
        response.set_cookie(cookie.name, value, max_age=cookie.max_age_seconds, **_attributes())
        return response

    after_this_request(add)


def delete_cookie(cookie: Cookie) -> None:
    """Delete a cookie in the current response."""

    def remove(response: Response) -> Response:
        response.delete_cookie(cookie.name, **_attributes())
        return response

    after_this_request(remove)


def _attributes() -> dict[str, Any]:
    return {"path": "/", "httponly": True, "samesite": "Lax", "secure": is_behind_tls()}
