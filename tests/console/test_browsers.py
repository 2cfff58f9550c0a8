"""Display names of browsers, from their user agents."""

from __future__ import annotations

import pytest

from api.console.browsers import browser_name

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0 Safari/537.36", "Chrome · Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0 Safari/537.36 Edg/140.0", "Edge · Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/140.0 Mobile Safari/537.36", "Chrome · Android"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {WEBKIT} Version/18 Safari/604.1", "Safari · iPhone"),
        ("curl/8.5.0", ""),
        ("Something on Linux", "Linux"),
        ("", ""),
        (None, ""),
    ],
)
def test_browser_name_from_user_agent(user_agent: str | None, name: str) -> None:
    """Unknown parts are left out."""
    assert browser_name(user_agent) == name
