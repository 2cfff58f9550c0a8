"""Addresses in headers, and whom the mails come from."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from email.utils import getaddresses

import pytest

from adapters.mail.sender import DEFAULT_SENDER, address, default_sender, one_line, parse_sender


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Maria\r\nBcc: eve@evil.example", "Maria Bcc: eve@evil.example"),
        ("a\x00b\tc\x85d\u2028e", "a b c d e"),
        ("\u202egnp.exe", "gnp.exe"),
        ("half \ud800 a pair", "half a pair"),
        ("  José   Ñandú  ", "José Ñandú"),
    ],
)
def test_one_line_is_one_harmless_line(text: str, expected: str) -> None:
    """Line ends, controls, direction overrides and lone surrogates become spaces; letters of any script stay."""
    assert one_line(text) == expected


@pytest.mark.parametrize(
    "name", ["x, <eve@evil.example>, ", '"x" <eve@evil.example> ', "(x) eve@evil.example; ", ",è<"]
)
@pytest.mark.parametrize("length", [1, 5, 20])
@pytest.mark.parametrize("local", ["maria", "jörg"])
def test_no_name_adds_a_recipient(name: str, length: int, local: str) -> None:
    """Whatever the name holds, and wherever the header is folded, one recipient comes out."""
    recipient = address(f"{local}@example.com", name * length)
    message = EmailMessage(policy=policy.SMTP if local.isascii() else policy.SMTPUTF8)
    message["To"] = recipient

    wire = message.as_bytes().decode()

    lines = wire.removesuffix("\r\n\r\n").split("\r\n")
    assert all(line.startswith(("To:", " ")) for line in lines)
    assert [found for _, found in getaddresses(["".join(lines)[3:]])] == [f"{local}@example.com"]


def test_a_domain_beyond_ascii_gets_its_ascii_form() -> None:
    """Mail servers know an internationalized domain by its ASCII name only."""
    assert address("maria@münchen.example").addr_spec == "maria@xn--mnchen-3ya.example"


@pytest.mark.parametrize(
    "addr_spec",
    [
        "",
        "maria",
        "maria@",
        "@example.com",
        "a b@example.com",
        "a@b@example.com",
        "a,b@example.com",
        "<a@example.com>",
        "a@example.com>",
        "a..b@example.com",
        "a\x00b@example.com",
        "a@example.com\r\nRCPT TO:<eve@evil.example>",
        "jö rg@example.com",
        "a@" + "ü" * 70 + ".example",
        "a@" + "b" * 400,
        '"x, <eve@evil.example>"@example.com',
        "a\ud800@example.com",
    ],
)
def test_what_is_no_address_is_refused_without_quoting_it(addr_spec: str) -> None:
    """An address that cannot be written plainly is refused, in words that may be stored and logged."""
    with pytest.raises(ValueError, match=r"^not a mail address$"):
        address(addr_spec)


def test_a_sender_may_have_a_name() -> None:
    """Both usual ways to write a sender are understood."""
    assert str(parse_sender("no-reply@example.com")) == "no-reply@example.com"
    assert str(parse_sender("Portale Voce <no-reply@example.com>")) == "Portale Voce <no-reply@example.com>"


@pytest.mark.parametrize("text", ["", "nobody", "Portal <>", "a@b\r\nBcc: eve@evil.example", "a@b, c@d"])
def test_a_bad_sender_is_one_clear_line(text: str) -> None:
    """The operator reads which setting is wrong, on one line."""
    with pytest.raises(ValueError, match=r"^the sender of mails is not a mail address: .*$") as caught:
        parse_sender(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [
        ("https://portal.example.com/app", "no-reply@portal.example.com"),
        ("http://127.0.0.1:8000", DEFAULT_SENDER),
        ("http://[::1]:8000", DEFAULT_SENDER),
        ("http://localhost", DEFAULT_SENDER),
    ],
)
def test_the_default_sender_follows_the_public_url(public_url: str, expected: str) -> None:
    """Where no sender is set, mails come from the host that people log in on, and always from a usable address."""
    assert default_sender(public_url) == expected
    parse_sender(default_sender(public_url))
