"""What a visitor's browser keeps for us: nothing that a script could read, but the time zone that a script tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, after_this_request

from api.http.doors import service


@dataclass(frozen=True)
class Cookie:
    """One of them. `seconds` is how long it is kept, None until the browser is closed."""

    word: str
    seconds: int | None = None

    @property
    def name(self) -> str:
        """Its name; with the prefix __Host-, browsers take it from this host alone, and over TLS alone."""
        return f"__Host-subusers-{self.word}" if is_behind_tls() else f"subusers-{self.word}"


A_DAY = 24 * 3600
A_YEAR = 365 * A_DAY

SESSION = Cookie("session", A_DAY)
"""The token of a session, which is good for a day at most."""

FORM = Cookie("form")
"""What forms are bound to: see `api.console.csrf`."""

NOTICE = Cookie("notice", 60)
"""What the next page is to tell of the last command."""

LANGUAGE = Cookie("language", A_YEAR)
TIME_ZONE = Cookie("time-zone", A_YEAR)
"""Chosen by the visitor."""

BROWSER_TIME_ZONE = "subusers-browser-time-zone"
"""Told by a script: the time zone that the browser goes by."""


def is_behind_tls() -> bool:
    """Say whether visitors come over TLS."""
    return service().settings.public_url.startswith("https://")


def set_cookie(cookie: Cookie, value: str) -> None:
    """Have the browser keep a value, from the answer on that is being made."""

    def add(response: Response) -> Response:
        response.set_cookie(cookie.name, value, max_age=cookie.seconds, **_attributes())
        return response

    after_this_request(add)


def drop_cookie(cookie: Cookie) -> None:
    """Have the browser forget a value."""

    def remove(response: Response) -> Response:
        response.delete_cookie(cookie.name, **_attributes())
        return response

    after_this_request(remove)


def _attributes() -> dict[str, Any]:
    return {"path": "/", "httponly": True, "samesite": "Lax", "secure": is_behind_tls()}
