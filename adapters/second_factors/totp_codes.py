"""Time-based one-time passwords (RFC 6238), with pyotp."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import pyotp

if TYPE_CHECKING:
    from datetime import datetime

ACCEPTED_OFFSETS = (0, -1, 1)
"""Time steps around the current one whose codes are accepted (RFC 6238, 5.2): clocks differ, and typing takes time."""


class PyotpCodes:
    """Codes of six digits and 30 seconds with SHA-1, the only ones that all authenticator apps support."""

    def __init__(self, issuer: str) -> None:
        """`issuer` is shown by authenticator apps."""
        self._issuer = issuer

    def new_secret(self) -> str:
        """Return a random secret of 160 bits in Base32."""
        return pyotp.random_base32()

    def uri(self, secret: str, label: str) -> str:
        """Return the `otpauth` URI of a secret."""
        return pyotp.TOTP(secret, name=label, issuer=self._issuer).provisioning_uri()

    def find_step(self, secret: str, code: str, now: datetime) -> int | None:
        """Return the time step of a code, None for a wrong one."""
        totp = pyotp.TOTP(secret)
        current_step = totp.timecode(now)
        for offset in ACCEPTED_OFFSETS:
            if hmac.compare_digest(totp.generate_otp(current_step + offset).encode(), code.encode()):
                return current_step + offset
        return None
