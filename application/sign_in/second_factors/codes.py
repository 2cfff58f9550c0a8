"""Recovery codes: their generation, and the hashes that are stored in their place."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from domain.second_factor import RECOVERY_CODES

if TYPE_CHECKING:
    from uuid import UUID

    from application.ports.keyed_hasher import KeyedHasher

ALPHABET = "23456789abcdefghjkmnopqrstuvwxyz"
"""32 characters that are hard to confuse, so each has 5 bits."""

GROUPS, GROUP_LENGTH = 4, 4
"""16 characters are 80 random bits, too many to guess."""


def new_recovery_codes() -> list[str]:
    """Return random recovery codes, such as `k3v9-m2xw-8hpt-q4za`."""
    return ["-".join(_random_group() for _ in range(GROUPS)) for _ in range(RECOVERY_CODES)]


def recovery_code_hash(keyed_hasher: KeyedHasher, person_id: UUID, code: str) -> bytes:
    """Return the hash of a person's recovery code. Case, spaces and hyphens do not matter."""
    return keyed_hasher.hash("recovery code", str(person_id), "".join(filter(str.isalnum, code.lower())))


def _random_group() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH))
