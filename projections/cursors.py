"""Where a page ended, in a form that only this service can make, good for the same list alone."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import TYPE_CHECKING, Any

from application.errors import InvalidValue

if TYPE_CHECKING:
    from application.ports import Fingerprints

MAC_BYTES = 16
LONGEST = 2000


class Cursors:
    """Writes and reads cursors. `scope` is all that a cursor must not be carried over: account, filters, order."""

    def __init__(self, fingerprints: Fingerprints) -> None:
        self._fingerprints = fingerprints

    def write(self, scope: list[str], last: list[Any]) -> str:
        """Return the cursor of a page that ended with these values."""
        text = json.dumps(last, separators=(",", ":"))
        return base64.urlsafe_b64encode(self._mac(scope, text) + text.encode()).decode().rstrip("=")

    def read(self, scope: list[str], cursor: str) -> list[Any]:
        """Return the values that a page ended with. Raises `InvalidValue` for any cursor not written for this list."""
        try:
            raw = base64.b64decode(cursor[:LONGEST] + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mac, text = raw[:MAC_BYTES], raw[MAC_BYTES:].decode()
        except (binascii.Error, UnicodeError, ValueError):
            raise _foreign() from None
        if not hmac.compare_digest(mac, self._mac(scope, text)):
            raise _foreign()
        values: list[Any] = json.loads(text)
        return values

    def _mac(self, scope: list[str], text: str) -> bytes:
        return self._fingerprints.of("cursor", *scope, text)[:MAC_BYTES]


def _foreign() -> InvalidValue:
    return InvalidValue("cursor", "does not belong to this list")
