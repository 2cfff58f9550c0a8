"""Where a visitor comes from: the connection's address, or behind proxies of ours what they say."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from api.http.app import create_app
from api.http.doors import visitor_address

if TYPE_CHECKING:
    from tests.api.callers import Doors

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::5"))


@pytest.mark.parametrize(
    ("connection", "told", "seen"),
    [
        ("198.51.100.7", None, "198.51.100.7"),
        ("198.51.100.7", "192.0.2.1", "198.51.100.7"),
        ("10.0.0.5", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.5", "203.0.113.9, 192.0.2.1", "192.0.2.1"),
        ("10.0.0.5", "192.0.2.1, 10.9.9.9", "192.0.2.1"),
        ("10.0.0.5", "2001:DB8::1", "2001:db8::1"),
        ("::ffff:10.0.0.5", "::ffff:192.0.2.1", "192.0.2.1"),
        ("fd00::5", "192.0.2.1", "192.0.2.1"),
        ("fd00::6", "192.0.2.1", "fd00::6"),
        ("10.0.0.5", None, "10.0.0.5"),
        ("10.0.0.5", "unknown", "10.0.0.5"),
        ("10.0.0.5", "192.0.2.1, <script>", "10.0.0.5"),
        ("10.0.0.5", "fe80::1%eth0", "10.0.0.5"),
        ("10.0.0.5", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
    ],
)
def test_a_proxy_of_ours_is_believed_and_nobody_else(doors: Doors, connection: str, told: str, seen: str) -> None:
    """Read from the end: what came before our own proxies anybody can have written."""
    service = replace(doors.service, settings=replace(doors.service.settings, proxies=PROXIES))
    headers = {} if told is None else {"X-Forwarded-For": told}
    with create_app(service).test_request_context("/", headers=headers, environ_overrides={"REMOTE_ADDR": connection}):
        assert visitor_address() == seen
