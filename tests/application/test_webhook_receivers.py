"""Policy of webhook URLs and receiver addresses."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from application.errors import InvalidValue
from application.webhook_url_policy import Target, WebhookUrlPolicy, is_public

PUBLIC_RECEIVERS = WebhookUrlPolicy()
WITH_INTERNAL_RECEIVERS = WebhookUrlPolicy(
    (ip_network("10.1.0.0/16"), ip_network("fd00::/8")), frozenset({"receiver.internal"})
)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://receiver.example", Target("https", "receiver.example", 443, "/")),
        ("https://receiver.example:443/a/b?c=d&e", Target("https", "receiver.example", 443, "/a/b?c=d&e")),
        ("HTTPS://Receiver.Example.:8443/x%20y", Target("https", "receiver.example", 8443, "/x%20y")),
        ("https://1.1.1.1/", Target("https", "1.1.1.1", 443, "/")),
        ("https://[2606:4700:4700::1111]:1024/", Target("https", "2606:4700:4700::1111", 1024, "/")),
        ("https://xn--bcher-kva.example/", Target("https", "xn--bcher-kva.example", 443, "/")),
    ],
)
def test_public_url_is_accepted(url: str, target: Target) -> None:
    assert PUBLIC_RECEIVERS.parse_allowed(url.replace("HTTPS", "https")) == target


@pytest.mark.parametrize(
    "url",
    [
        *("", "receiver.example", "ftp://receiver.example/", "http://receiver.example/", "file:///etc/passwd"),
        *("https://", "https:///path", "https://user@receiver.example/", "https://user:word@receiver.example/"),
        *("https://receiver.example:0/", "https://receiver.example:22/", "https://receiver.example:80/"),
        *("https://receiver.example:99999/", "https://receiver.example:x/", "https://receiver.example/#part"),
        *("https://receiver.example\\@localhost/", "https://receiver.example/ x", "https://receiver.example/\r\nX: y"),
        *("https://b\u00fccher.example/", "https://a..b/", f"https://{'a' * 64}.example/", "https://[::1/"),
        *("https://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data", "https://0.0.0.0/"),
        *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[fe80::1]/"),
        *("https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://224.0.0.1/", "https://[ff02::1]/"),
        "https://receiver.example/" + "x" * 2000,
        "http://receiver.internal.example/",
    ],
)
def test_invalid_or_internal_url_is_refused(url: str) -> None:
    """A policy that allows internal receivers refuses them, too. The error names the field."""
    for policy in (PUBLIC_RECEIVERS, WITH_INTERNAL_RECEIVERS):
        with pytest.raises(InvalidValue) as refused:
            policy.parse_allowed(url)
        assert refused.value.field == "url"


@pytest.mark.parametrize(
    "url",
    ["http://receiver.internal/", "http://receiver.internal:22/", "http://10.1.2.3:8080/", "https://[fd00::5]/x"],
)
def test_operator_may_allow_internal_receivers(url: str) -> None:
    """They are allowed by name or network, with http and on any port."""
    WITH_INTERNAL_RECEIVERS.parse_allowed(url)
    with pytest.raises(InvalidValue):
        PUBLIC_RECEIVERS.parse_allowed(url)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.10", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "0.1.2.3"),
        "0.0.0.0",  # noqa: S104  # only checked, never bound
        *("224.0.0.1", "224.0.1.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *(
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "ff0e::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
        ),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:224.0.1.1", "::127.0.0.1", "2002:a00:1::", "2001::1"),
        *("64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1"),
    ],
)
def test_address_is_not_public(address: str) -> None:
    """Private, loopback, link-local, multicast, reserved and documentation addresses, in any notation."""
    assert not is_public(ip_address(address))
    assert not WITH_INTERNAL_RECEIVERS.allows("receiver.example", ip_address(address)) or address == "fd00:ec2::254"


def test_allowed_name_may_resolve_to_any_address() -> None:
    """The operator trusts the name, and no other name with the same address."""
    assert WITH_INTERNAL_RECEIVERS.allows("receiver.internal", ip_address("127.0.0.1"))
    assert not WITH_INTERNAL_RECEIVERS.allows("other.internal", ip_address("127.0.0.1"))
    assert WITH_INTERNAL_RECEIVERS.allows("other.internal", ip_address("10.1.255.255"))
