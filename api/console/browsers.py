"""Short browser and system names from User-Agent headers."""

from __future__ import annotations

BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
"""Names by User-Agent token. The order matters: Edge also claims to be Chrome, and Chrome to be Safari."""

SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Macintosh": "Mac",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
    "X11": "Linux",
}
"""Names by User-Agent token. The order matters: Android also claims to be Linux."""


def browser_name(user_agent: str | None) -> str:
    """Return the names of the browser and its system, such as "Firefox · Linux"; "" if neither is recognized."""
    names = (_first_match(user_agent or "", name_by_token) for name_by_token in (BROWSERS, SYSTEMS))
    return " · ".join(name for name in names if name)


def _first_match(text: str, name_by_token: dict[str, str]) -> str | None:
    return next((name for token, name in name_by_token.items() if token in text), None)
