"""Under which keys failed attempts to log in are counted. They tell nothing of whom they are about."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from application.ports import Fingerprints


OWNER = "the owner"
"""Stands where the hash of a sub-user's e-mail stands, and can be none."""


@dataclass(frozen=True)
class AttemptKeys:
    """`delayed`: this person from this client; `counted`: this person from anywhere; `per_minute`: this client."""

    delayed: bytes
    counted: bytes
    per_minute: bytes | None

    @property
    def waiting(self) -> list[bytes]:
        """Return the keys under which an attempt may have to wait."""
        return [key for key in (self.delayed, self.per_minute) if key is not None]

    @property
    def in_a_row(self) -> list[bytes]:
        """Return the keys under which a success ends the row of failures."""
        return [self.delayed, self.counted]


def attempt_keys(fingerprints: Fingerprints, account_email_hash: str, email_hash: str, ip: str | None) -> AttemptKeys:
    """Return the keys of an attempt, whether there is such a sub-user or not.

    A client with IPv6 has a whole /64 network to itself, so that is what counts.
    """
    if ip is not None and ":" in ip:
        ip = str(ipaddress.ip_network(f"{ip}/64", strict=False))
    return AttemptKeys(
        delayed=fingerprints.of("login from", account_email_hash, email_hash, ip or ""),
        counted=fingerprints.of("login", account_email_hash, email_hash),
        per_minute=fingerprints.of("ip", ip) if ip else None,
    )


def owner_attempt_keys(fingerprints: Fingerprints, account_email_hash: str, ip: str | None) -> AttemptKeys:
    """Return the keys of an attempt to log in as the owner, whether there is such an account or not."""
    return attempt_keys(fingerprints, account_email_hash, OWNER, ip)
