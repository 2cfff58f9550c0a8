"""Where webhooks may be sent, as far as a URL or an address shows."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from application.errors import InvalidValue
from application.webhook_receivers import Receivers, Target, is_public

ANYBODY = Receivers()
INSIDE = Receivers((ip_network("10.1.0.0/16"), ip_network("fd00::/8")), frozenset({"receiver.internal"}))


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
def test_a_url_of_the_public_internet_is_taken(url: str, target: Target) -> None:
    assert ANYBODY.target(url.replace("HTTPS", "https")) == target


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
def test_another_one_is_refused(url: str) -> None:
    """422 naming the field, whoever the operator allows besides."""
    for receivers in (ANYBODY, INSIDE):
        with pytest.raises(InvalidValue) as refused:
            receivers.target(url)
        assert refused.value.field == "url"


@pytest.mark.parametrize(
    "url",
    ["http://receiver.internal/", "http://receiver.internal:22/", "http://10.1.2.3:8080/", "https://[fd00::5]/x"],
)
def test_the_operator_may_allow_more(url: str) -> None:
    """Names and networks: with http, and on any port."""
    INSIDE.target(url)
    with pytest.raises(InvalidValue):
        ANYBODY.target(url)


@pytest.mark.parametrize("public", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_a_public_address(public: str) -> None:
    assert is_public(ip_address(public))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.10", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "0.1.2.3"),
        "0.0.0.0",  # noqa: S104  # not bound, refused
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
def test_an_address_that_nobody_outside_has(address: str) -> None:
    """In whatever form it is written: private, of this machine, of this link, to many, reserved, for documentation."""
    assert not is_public(ip_address(address))
    assert not INSIDE.allow("receiver.example", ip_address(address)) or address == "fd00:ec2::254"


def test_a_host_that_is_allowed_may_be_anywhere() -> None:
    """The operator vouches for its name, and for no other with the same address."""
    assert INSIDE.allow("receiver.internal", ip_address("127.0.0.1"))
    assert not INSIDE.allow("other.internal", ip_address("127.0.0.1"))
    assert INSIDE.allow("other.internal", ip_address("10.1.255.255"))
