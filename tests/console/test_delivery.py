"""How pages and static files are delivered: compressed, cached, and with their timing."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest

from api.console.pages import STATIC, asset_versions

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.console.browsing import Browser
    from tests.console.conftest import AccountConsole

TIMING = re.compile(r"total;dur=([0-9.]+), db;dur=([0-9.]+)")


def open_with_gzip(browser: Browser, path: str, encodings: str = "gzip, br") -> TestResponse:
    return browser.download(path, {"Accept-Encoding": encodings})


def test_pages_are_compressed_for_browsers_that_accept_it(console: AccountConsole) -> None:
    owner = console.owner()
    plain = open_with_gzip(owner, "/monitoring", "identity")
    compressed = open_with_gzip(owner, "/monitoring")

    assert "Content-Encoding" not in plain.headers
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in compressed.headers["Vary"]
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert "<h1>Activity</h1>" in gzip.decompress(compressed.data).decode()
    assert len(compressed.data) * 3 < len(plain.data)
    assert int(compressed.headers["Content-Length"]) == len(compressed.data)
    assert "Content-Encoding" not in open_with_gzip(owner, "/monitoring", "gzip;q=0").headers


def test_a_list_of_200_people_is_small_on_the_wire(own_console: AccountConsole) -> None:
    console = own_console
    body = {"sub_user_limit": 200, "reason": "A large company."}
    console.clients.support.put(f"{console.account.path}/sub-user-limit", json=body)
    for number in range(200):
        console.account.create_sub_user(email=f"person-{number}@company.example", surname=f"Hopper {number}")
    assert len(open_with_gzip(console.owner(), "/sub-users?limit=200").data) <= 25_000


@pytest.mark.parametrize("name", ["console.css", "console.js", "icon.svg"])
def test_static_files_are_compressed_and_cached_forever(console: AccountConsole, name: str) -> None:
    response = open_with_gzip(console.browser(), f"/assets/{asset_versions()[name]}/{name}")
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.data) == (STATIC / name).read_bytes()
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["Vary"] == "Accept-Encoding"
    plain = open_with_gzip(console.browser(), f"/assets/{asset_versions()[name]}/{name}", "identity")
    assert plain.data == (STATIC / name).read_bytes()


def test_a_font_is_not_compressed_again(console: AccountConsole) -> None:
    name = next(name for name in asset_versions() if name.endswith(".woff2"))
    response = open_with_gzip(console.browser(), f"/assets/{asset_versions()[name]}/{name}")
    assert "Content-Encoding" not in response.headers
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_another_version_of_a_file_is_not_cached(console: AccountConsole) -> None:
    """During an update, a process of the earlier release must not fill caches with its file."""
    response = open_with_gzip(console.browser(), "/assets/000000000000/console.css")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-cache"


def test_pages_tell_how_long_they_took(console: AccountConsole) -> None:
    response = console.owner().get("/monitoring").response
    match = TIMING.fullmatch(response.headers["Server-Timing"])
    assert match is not None
    total, in_database = (float(number) for number in match.groups())
    assert 0 < in_database < total


def test_downloads_do_not_tell_how_long_they_took(console: AccountConsole) -> None:
    """They are sent while they are made."""
    assert "Server-Timing" not in console.owner().download("/monitoring/export.csv").headers


def test_sign_ins_do_not_tell_how_long_they_took(console: AccountConsole) -> None:
    """Their time depends on why they were refused."""
    browser = console.browser()
    assert "Server-Timing" not in browser.get("/login").response.headers
    refused = browser.log_in(console.account.email, "not the password at all")
    assert "Server-Timing" not in refused.response.headers
