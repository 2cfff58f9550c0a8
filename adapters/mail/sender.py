"""Mail addresses as headers need them, and whom the mails come from."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import getaddresses
from urllib.parse import urlsplit

DEFAULT_SENDER = "no-reply@localhost"

# Longer than any header needs; what is above is not a person's address.
_LONGEST_ADDRESS = 320

# Python (3.11 to 3.12 at least) drops the quotes of a long display name when it folds the header: a name such as
# `x, <eve@evil.example>, ...` would then add recipients. Without these characters no quotes are needed.
_SPECIALS = re.compile(r'[()<>\[\]:;@\\,"]+')

# Control characters, line and paragraph separators, direction overrides and lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


def one_line(text: str) -> str:
    """Return the text as one line that cannot break out of a header or disguise the line it stands in."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def address(addr_spec: str, display_name: str = "") -> Address:
    """Return a header address: the name made harmless, the domain in its ASCII form.

    Raises `ValueError` when the address is not one; its text does not contain the address.
    """
    local, at, domain = addr_spec.rpartition("@")
    name = one_line(_SPECIALS.sub(" ", display_name))
    if not at or len(addr_spec) > _LONGEST_ADDRESS or _UNPRINTABLE.search(addr_spec):
        raise ValueError("not a mail address")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
        _require_plain(local, domain)
    except (ValueError, IndexError, MessageError):
        # `from None`: what the parser says quotes the address, which is personal data.
        raise ValueError("not a mail address") from None
    return Address(name, username=local, domain=domain)


def _require_plain(local: str, domain: str) -> None:
    """Refuse what is no address, and those that need quotes: folding a header can drop them, see above.

    The parser takes ASCII only, so a stand-in of the same shape is checked.
    """
    shape = re.sub(r"[^\x00-\x7f]", "x", local)
    if Address(addr_spec=f"{shape}@{domain}").username != shape:
        raise ValueError("not a mail address")


def parse_sender(text: str) -> Address:
    """Return the sender from `no-reply@example.com` or `Example portal <no-reply@example.com>`.

    Raises `ValueError` with one clear line.
    """
    try:
        ((display_name, addr_spec),) = getaddresses([text])  # one, or a ValueError
        sender = address(addr_spec, display_name)
    except ValueError:
        sender = None
    if sender is None or not text.isprintable():
        raise ValueError(f"the sender of mails is not a mail address: {one_line(text)!r}")
    return sender


def default_sender(public_url: str) -> str:
    """Return the sender to use where none is set: no-reply at the host that sub-users log in on.

    Raises `ValueError` when the URL is malformed.
    """
    host = urlsplit(public_url).hostname or ""
    is_name = "." in host and not re.fullmatch(r"[0-9.]+", host)
    return f"no-reply@{host}" if is_name else DEFAULT_SENDER
