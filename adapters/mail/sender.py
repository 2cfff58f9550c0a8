"""Header addresses, and the sender of mails."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import getaddresses
from urllib.parse import urlsplit

from application.display_text import CONTROLS, DIRECTION_CONTROLS, one_line

DEFAULT_SENDER = "no-reply@localhost"

# RFC 5321 allows 64 characters for the local part and 255 for the domain.
_MAX_ADDRESS_LENGTH = 320

# Characters that separate addresses and names in a header. Some mail programs decode a name before they parse these.
_SPECIALS = re.compile(r'[()<>\[\]:;@\\,"]+')

_UNPRINTABLE = re.compile(f"[{CONTROLS}{DIRECTION_CONTROLS}\ud800-\udfff]")


def header_address(addr_spec: str, display_name: str = "") -> Address:
    """Return a header address, with the name sanitized and the domain in its ASCII form.

    Raises `ValueError` for an invalid address, or one that mail programs could take for an encoded word. The error's
    text does not contain the address.
    """
    local, at, domain = addr_spec.rpartition("@")
    name = one_line(_SPECIALS.sub(" ", display_name))
    if not at or len(addr_spec) > _MAX_ADDRESS_LENGTH or _UNPRINTABLE.search(addr_spec) or "=?" in addr_spec:
        raise ValueError("not a mail address")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
        _ensure_valid(local, domain)
    except (ValueError, IndexError, MessageError):
        # `from None`: the parser's message quotes the address, which is personal data.
        raise ValueError("not a mail address") from None
    return Address(name, username=local, domain=domain)


def _ensure_valid(local: str, domain: str) -> None:
    """Raise `ValueError` for an invalid address, or one that needs quotes.

    The parser accepts only ASCII, so other characters are replaced before the check.
    """
    ascii_local = re.sub(r"[^\x00-\x7f]", "x", local)
    if Address(addr_spec=f"{ascii_local}@{domain}").username != ascii_local:
        raise ValueError("not a mail address")


def parse_sender(text: str) -> Address:
    """Parse a sender such as `no-reply@example.com` or `Example portal <no-reply@example.com>`.

    Raises `ValueError` with a single line.
    """
    try:
        ((display_name, addr_spec),) = getaddresses([text])  # unpacking raises ValueError unless there is exactly one
        sender = header_address(addr_spec, display_name)
    except ValueError:
        sender = None
    if sender is None or not text.isprintable():
        raise ValueError(f"the sender of mails is not a mail address: {one_line(text)!r}")
    return sender


def default_sender(public_url: str) -> str:
    """Return the default sender: no-reply at the host on which sub-users log in.

    Raises `ValueError` if the URL is malformed.
    """
    host = urlsplit(public_url).hostname or ""
    is_name = "." in host and not re.fullmatch(r"[0-9.]+", host)
    return f"no-reply@{host}" if is_name else DEFAULT_SENDER
