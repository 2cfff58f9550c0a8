"""Descriptions of clients: browsers and devices from user agents, places from a GeoIP database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from maxminddb import InvalidDatabaseError

from adapters.client_details import UserAgentAndGeoIpDescriber
from api.http.authentication import MAX_USER_AGENT_LENGTH
from application.ports.sign_in.client_details import ClientDetails
from tests.geoip import MILAN, write_geoip_database

if TYPE_CHECKING:
    from pathlib import Path

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"


@pytest.mark.parametrize(
    ("user_agent", "browser", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0 Safari/537.36", "Chrome", "Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0 Safari/537.36 Edg/140.0", "Edge", "Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/140.0 Mobile Safari/537.36", "Chrome", "Android"),
        (
            f"Mozilla/5.0 (Linux; Android 14; SM-G991B) {WEBKIT} SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537.36",
            "Samsung Internet",
            "Samsung SM-G991B",
        ),
        (f"{IPHONE} Version/18.5 Mobile/15E148 Safari/604.1", "Safari", "iPhone"),
        (f"{IPHONE} CriOS/140.0 Mobile/15E148 Safari/604.1", "Chrome", "iPhone"),
        (f"{MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", "Safari", "Mac"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome", "ChromeOS"),
        ("curl/8.5.0", "curl", None),
        ("Something on Linux", None, "Linux"),
        ("an unknown program", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_browser_and_device_of_a_user_agent(user_agent: str | None, browser: str | None, device: str | None) -> None:
    """Unknown parts are None."""
    client = UserAgentAndGeoIpDescriber(None).describe("192.0.2.1", user_agent)
    assert client == ClientDetails(browser, device)


@pytest.mark.parametrize("part", ["a", " ", "; ", "Android ", "Mozilla/5.0 (", "1.", "(", "Build/", "\u0660"])
def test_parsing_of_hostile_user_agents_is_fast(part: str) -> None:
    """The rules are regular expressions, and a client chooses the text."""
    describer = UserAgentAndGeoIpDescriber(None)
    describer.describe(None, "compiles the rules")
    started_at = time.process_time()
    describer.describe(None, (part * MAX_USER_AGENT_LENGTH)[:MAX_USER_AGENT_LENGTH])
    assert time.process_time() - started_at < 1


def test_place_of_an_ip_address(tmp_path: Path) -> None:
    """Unknown addresses, and records without a country or a city, have none."""
    records = {
        "192.0.2.0/24": MILAN,
        "2001:db8::/32": {"country": {"iso_code": "FR"}},
        "198.51.100.0/24": {"country": "nothing that we know", "city": {"names": {"en": 7}}},
    }
    describer = UserAgentAndGeoIpDescriber(write_geoip_database(tmp_path / "places.mmdb", records))

    assert describer.describe("192.0.2.1", None) == ClientDetails(country="IT", city="Milan")
    assert describer.describe("2001:db8::1", None) == ClientDetails(country="FR")
    for ip in ("198.51.100.1", "203.0.113.1", "2001:db9::1", None):
        assert describer.describe(ip, None) == ClientDetails()


def test_ipv6_addresses_have_no_place_in_a_database_of_ipv4(tmp_path: Path) -> None:
    describer = UserAgentAndGeoIpDescriber(write_geoip_database(tmp_path / "4.mmdb", {"192.0.2.0/24": MILAN}, 4))
    assert describer.describe("192.0.2.1", None).city == "Milan"
    assert describer.describe("2001:db8::1", None) == ClientDetails()


def test_damaged_record_is_no_place(tmp_path: Path) -> None:
    path = write_geoip_database(tmp_path / "damaged.mmdb", {"192.0.2.0/24": MILAN})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"iso_code", b"\xff" * 8))
    assert UserAgentAndGeoIpDescriber(path).describe("192.0.2.1", None) == ClientDetails()


def test_unreadable_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        UserAgentAndGeoIpDescriber(tmp_path / "missing.mmdb")
    (tmp_path / "text.mmdb").write_text("no database")
    with pytest.raises(InvalidDatabaseError):
        UserAgentAndGeoIpDescriber(tmp_path / "text.mmdb")
