"""Recovery codes: their generation, and the hashes that are stored in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.second_factor import RECOVERY_CODES

if TYPE_CHECKING:
    from uuid import UUID

    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.passwords import Passwords


def new_recovery_codes(passwords: Passwords) -> list[str]:
    """Return random recovery codes, as long as generated passwords."""
    return [passwords.generate() for _ in range(RECOVERY_CODES)]


def recovery_code_hash(keyed_hasher: KeyedHasher, person_id: UUID, code: str) -> bytes:
    """Return the hash of a person's recovery code. Case, spaces and hyphens do not matter."""
    return keyed_hasher.hash("recovery code", str(person_id), "".join(filter(str.isalnum, code.lower())))
