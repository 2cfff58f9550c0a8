"""Reports by the portal: the data keys of their sub-users, and the metadata of their events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from application.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from application.command_context import CommandContext
    from application.ports.vault import PersonKey, Vault
    from application.repository import MainAccounts


def reported_sub_user_keys(
    accounts: MainAccounts, vault: Vault, account_id: UUID, sub_user_ids: Sequence[UUID], field: str
) -> Mapping[UUID, PersonKey]:
    """Return the data keys of reported sub-users by id. `field` is the name of the list of reports in the request.

    Raises `AccountNotFound`, and `InvalidValue` for the first sub-user that is not in the account.
    """
    account = accounts.load(account_id)
    entries = vault.entries(list(set(sub_user_ids)))
    for index, sub_user_id in enumerate(sub_user_ids):
        if sub_user_id not in account.sub_users or sub_user_id not in entries:
            raise InvalidValue(f"{field}.{index}.sub_user_id", "there is no such sub-user in this account")
    return {sub_user_id: entry.key for sub_user_id, entry in entries.items()}


def report_metadata(context: CommandContext, key: PersonKey) -> dict[str, Any]:
    """Return the metadata fields of a report's event. It has no actor, because the reported sub-user acted."""
    metadata = vars(context.encrypted_with(key))
    return {name: value for name, value in metadata.items() if name not in {"actor_type", "actor_id"}}
