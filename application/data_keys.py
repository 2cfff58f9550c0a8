"""Lookup of the data keys that a command needs, in one read of the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.refusals import AccountNotFound, SubUserNotFound

if TYPE_CHECKING:
    from uuid import UUID

    from application.ports.vault import PersonKey, Vault, VaultEntry


def load_owner_key(vault: Vault, account_id: UUID) -> PersonKey:
    """Return the data key of an account's owner. Raises `AccountNotFound`."""
    return load_owner_entry(vault, account_id).key


def load_owner_entry(vault: Vault, account_id: UUID) -> VaultEntry:
    """Return the vault entry of an account's owner. Raises `AccountNotFound`."""
    entry = vault.entries([account_id]).get(account_id)
    if entry is None or entry.account_id != account_id:
        raise AccountNotFound
    return entry


def load_owner_and_sub_user_keys(vault: Vault, account_id: UUID, sub_user_id: UUID) -> tuple[PersonKey, PersonKey]:
    """Return the data keys of an account's owner and a sub-user. Raises `AccountNotFound` or `SubUserNotFound`."""
    entries = vault.entries([account_id, sub_user_id])
    owner_entry, sub_user_entry = entries.get(account_id), entries.get(sub_user_id)
    if owner_entry is None or owner_entry.account_id != account_id:
        raise AccountNotFound
    if sub_user_entry is None or sub_user_entry.account_id != account_id or sub_user_id == account_id:
        raise SubUserNotFound
    return owner_entry.key, sub_user_entry.key
