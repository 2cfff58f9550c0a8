"""Hashes of e-mail addresses, for finding people by their address.

Events hash an address under the person's data key, so that guesses cannot be verified after the key is deleted. To find
a person, the address is hashed under the key of each candidate, and under the service's key, which older events used
(docs/adr/0020-emails-hashed-under-personal-keys.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.vault import PersonKey, VaultEntry
    from domain.main_account import MainAccount


def email_hashes(
    keyed_hasher: KeyedHasher, account_id: UUID, entries: Iterable[VaultEntry], email: str
) -> frozenset[str]:
    """Return all hashes that an e-mail can have in events about the people with these entries."""
    return frozenset(
        {keyed_hasher.sub_user_email(account_id, email), *(entry.key.email_hash(email) for entry in entries)}
    )


def owner_email_hash(keyed_hasher: KeyedHasher, owner_key: PersonKey, account: MainAccount) -> str:
    """Return the hash of the owner's e-mail under the service's key, as used by the directory and the throttle."""
    return keyed_hasher.email(owner_key.decrypt("email", account.email))
