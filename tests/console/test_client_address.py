"""Client addresses: that of the connection or, from trusted proxies, the one in X-Forwarded-For."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from api.flask_application import create_app
from api.http.authentication import client_address

if TYPE_CHECKING:
    from tests.api.clients import ApiClients

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::5"))


@pytest.mark.parametrize(
    ("connection", "forwarded_for", "address"),
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
def test_forwarded_for_is_trusted_only_from_configured_proxies(
    clients: ApiClients, connection: str, forwarded_for: str, address: str
) -> None:
    """The header is read from the end, because clients can forge the entries left of the proxies."""
    service = replace(clients.service, settings=replace(clients.service.settings, trusted_proxies=PROXIES))
    headers = {} if forwarded_for is None else {"X-Forwarded-For": forwarded_for}
    with create_app(service).test_request_context("/", headers=headers, environ_overrides={"REMOTE_ADDR": connection}):
        assert client_address() == address


@pytest.mark.parametrize(
    ("connection", "forwarded_for", "recorded"),
    [("10.0.0.5", "203.0.113.9, 192.0.2.1", "192.0.2.1"), ("198.51.100.7", "192.0.2.1", "198.51.100.7")],
    ids=["through a trusted proxy", "through another proxy"],
)
def test_audit_log_records_the_address_of_the_support_client(
    clients: ApiClients, connection: str, forwarded_for: str, recorded: str
) -> None:
    """The address of a trusted proxy, which all clients share, is not recorded."""
    account = clients.register_account()
    service = replace(clients.service, settings=replace(clients.service.settings, trusted_proxies=PROXIES))
    response = replace(clients.support, app=create_app(service)).put(
        f"{account.path}/sub-user-limit",
        json={"sub_user_limit": 12, "reason": "asked by phone"},
        headers={"X-Forwarded-For": forwarded_for},
        environ_overrides={"REMOTE_ADDR": connection},
    )
    assert response.status_code == 200
    assert account.audit_log_rows()[0]["ip"] == recorded
