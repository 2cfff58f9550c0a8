"""Mail addresses in headers, and the sender of mails."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from email.utils import getaddresses

import pytest

from adapters.mail.sender import DEFAULT_SENDER, default_sender, header_address, parse_sender
from application.display_text import one_line


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
def test_one_line_removes_unsafe_characters(text: str, expected: str) -> None:
    """Line ends, control characters, direction overrides and lone surrogates become spaces."""
    assert one_line(text) == expected


@pytest.mark.parametrize(
    "name", ["x, <eve@evil.example>, ", '"x" <eve@evil.example> ', "(x) eve@evil.example; ", ",è<"]
)
@pytest.mark.parametrize("length", [1, 5, 20])
@pytest.mark.parametrize("local", ["maria", "jörg"])
def test_name_cannot_add_a_recipient(name: str, length: int, local: str) -> None:
    """The header has exactly one recipient, regardless of the name and of folding."""
    recipient = header_address(f"{local}@example.com", name * length)
    message = EmailMessage(policy=policy.SMTP if local.isascii() else policy.SMTPUTF8)
    message["To"] = recipient

    header = message.as_bytes().decode()

    lines = header.removesuffix("\r\n\r\n").split("\r\n")
    assert all(line.startswith(("To:", " ")) for line in lines)
    assert [addr_spec for _, addr_spec in getaddresses(["".join(lines)[3:]])] == [f"{local}@example.com"]


def test_internationalized_domain_is_encoded_as_ascii() -> None:
    assert header_address("maria@münchen.example").addr_spec == "maria@xn--mnchen-3ya.example"


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
def test_invalid_address_is_refused_without_quoting_it(addr_spec: str) -> None:
    """The message is stored and logged, so it must not contain the address."""
    with pytest.raises(ValueError, match=r"^not a mail address$"):
        header_address(addr_spec)


def test_sender_with_and_without_a_name_is_parsed() -> None:
    assert str(parse_sender("no-reply@example.com")) == "no-reply@example.com"
    assert str(parse_sender("Portale Voce <no-reply@example.com>")) == "Portale Voce <no-reply@example.com>"


@pytest.mark.parametrize("text", ["", "nobody", "Portal <>", "a@b\r\nBcc: eve@evil.example", "a@b, c@d"])
def test_invalid_sender_is_reported_in_one_line(text: str) -> None:
    """The error is one line that names the setting."""
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
def test_default_sender_follows_the_public_url(public_url: str, expected: str) -> None:
    """The default is an address at the host of the public URL, or a fixed one for IP addresses and localhost."""
    assert default_sender(public_url) == expected
    parse_sender(default_sender(public_url))
