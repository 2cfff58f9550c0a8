"""What the portal reports of sub-users: of the account's own alone, whoever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from application.main_accounts import MainAccounts
    from application.ports import PersonKey, Vault


def keys_of_reported(
    accounts: MainAccounts, vault: Vault, account_id: UUID, sub_user_ids: Sequence[UUID], field: str
) -> Mapping[UUID, PersonKey]:
    """Return the keys of the sub-users whom a list of reports, in this field, is about.

    Raises `AccountNotFound`, and `InvalidValue` naming the first whose sub-user is not, or no more, the account's.
    """
    account = accounts.load(account_id)
    entries = vault.entries(list(set(sub_user_ids)))
    for index, sub_user_id in enumerate(sub_user_ids):
        if sub_user_id not in account.sub_users or sub_user_id not in entries:
            raise InvalidValue(f"{field}.{index}.sub_user_id", "there is no such sub-user in this account")
    return {sub_user_id: entry.key for sub_user_id, entry in entries.items()}
