"""Hashes of e-mail addresses, for finding people by their address.

Events hash an address under the person's data key, so that guesses cannot be verified after the key is deleted. To find
a person, the address is hashed under the key of each candidate, and under the service's key, which older events used
(docs/adr/0020-emails-hashed-under-personal-keys.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.transactional_writes import (
    AddAccountToDirectory,
    AddFormerEmail,
    LockAccountInDirectory,
    RemoveAccountFromDirectory,
    TransactionalWrite,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
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
    return keyed_hasher.email(owner_key.decrypt("email", account.owner_email.current))


def sign_in_email_hashes(
    keyed_hasher: KeyedHasher, owner_key: PersonKey, account: MainAccount, at: datetime
) -> frozenset[str]:
    """Return the hashes, under the service's key, of the e-mails with which people name an account at a time.

    These are its e-mail and the former ones that still work.
    """
    formers = (owner_key.decrypt("email", former.email) for former in account.owner_email.valid_former(at))
    return frozenset({owner_email_hash(keyed_hasher, owner_key, account), *map(keyed_hasher.email, formers)})


def directory_writes(
    keyed_hasher: KeyedHasher, owner_key: PersonKey, account: MainAccount, at: datetime
) -> list[TransactionalWrite]:
    """Return the writes that replace all rows of an account in the directory by those of its current e-mails."""
    external_id = account.external_id and owner_key.decrypt("external_id", account.external_id)
    external_id_hash = keyed_hasher.external_id(external_id) if external_id is not None else None
    email_hash = owner_email_hash(keyed_hasher, owner_key, account)
    return [
        LockAccountInDirectory(account.id),
        RemoveAccountFromDirectory(account.id),
        AddAccountToDirectory(email_hash, account.id, external_id_hash),
        *(
            AddFormerEmail(keyed_hasher.email(owner_key.decrypt("email", former.email)), account.id, former.kept_until)
            for former in account.owner_email.valid_former(at)
        ),
    ]
