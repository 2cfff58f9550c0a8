"""What a browser calls itself, in the few words that people know it by."""

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
"""By what tells them apart. The order counts: Edge says that it is Chrome, and Chrome that it is Safari."""

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
"""By what tells them apart. The order counts: Android says that it is Linux."""


def browser_name(user_agent: str | None) -> str:
    """Return a browser's name and that of its system, as far as they are known; nothing if neither is."""
    found = (_first(user_agent or "", names) for names in (BROWSERS, SYSTEMS))
    return " · ".join(name for name in found if name)


def _first(text: str, names: dict[str, str]) -> str | None:
    return next((name for mark, name in names.items() if mark in text), None)
