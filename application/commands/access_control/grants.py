"""Commands and queries on the grants of a sub-user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.data_keys import load_owner_and_sub_user_keys
from application.errors import InvalidValue
from domain.permission_catalogue import ACCOUNT
from domain.refusals import GrantNotFound
from domain.roles import BUILT_IN_ROLES, MAX_GRANTS, Grant, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from application.command_context import CommandContext
    from application.commands.access_control.catalogue import PermissionCatalogues
    from application.commands.access_control.grant_store import GrantRecord, GrantStore
    from application.ports.clock import Clock
    from application.ports.vault import PersonKey, Vault
    from application.repository import MainAccounts, Outcome
    from application.transactional_writes import TransactionalWrite
    from domain.event_metadata import EventMetadata
    from domain.main_account import MainAccount


@dataclass(frozen=True)
class NewGrant:
    """A role to grant: on everything (no resource) or on one resource, which may have a name for people."""

    role_id: UUID
    resource: Resource | None = None
    resource_label: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True)
class LabelledResource:
    """A resource with its name for people, if it has one."""

    type: str
    id: str
    label: str | None = field(repr=False)


@dataclass(frozen=True)
class GrantDetails:
    """A grant of a sub-user. `reason` is the one that was given with it."""

    grant_id: UUID
    role_id: UUID
    resource: LabelledResource | None
    expires_at: datetime | None
    granted_at: datetime
    reason: str | None = field(repr=False)


class RoleGrants:
    """Commands and queries on the grants of a sub-user."""

    def __init__(
        self,
        accounts: MainAccounts,
        vault: Vault,
        grants: GrantStore,
        catalogues: PermissionCatalogues,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._grants = grants
        self._catalogues = catalogues
        self._clock = clock

    def list(self, account_id: UUID, sub_user_id: UUID) -> Sequence[GrantDetails]:
        """Return the grants of a sub-user, also expired ones, oldest first. Raises `SubUserNotFound`."""
        owner_key, sub_user_key = load_owner_and_sub_user_keys(self._vault, account_id, sub_user_id)
        self._accounts.load(account_id).sub_user(sub_user_id)
        return [
            _details(
                record.grant,
                sub_user_key.decrypt("resource_label", record.label) if record.label is not None else None,
                record.granted_at,
                owner_key.decrypt("reason", record.reason) if record.reason is not None else None,
            )
            for record in self._grants.list(sub_user_id)
        ]

    def grant(
        self,
        account_id: UUID,
        sub_user_id: UUID,
        new_grant: NewGrant,
        context: CommandContext,
        *,
        also_write: Callable[[GrantDetails, PersonKey], Sequence[TransactionalWrite]] = lambda _details, _key: [],
    ) -> Outcome[GrantDetails]:
        """Give a sub-user a role. Expired grants are revoked if there would be too many.

        Raises `SubUserNotFound`, `GrantLimitReached`, or `InvalidValue` for the role, the resource or the expiry.
        """
        owner_key, sub_user_key = load_owner_and_sub_user_keys(self._vault, account_id, sub_user_id)
        grant_id = uuid4()

        def decide(account: MainAccount) -> tuple[GrantDetails, Sequence[TransactionalWrite]]:
            at, metadata = self._clock(), context.encrypted_with(owner_key)
            account.sub_user(sub_user_id)
            self._ensure_valid(new_grant, account, at)
            if account.grant_counts[sub_user_id].total() >= MAX_GRANTS:
                self._revoke_expired(account, sub_user_id, at, metadata)
            grant = _grant(account, grant_id, sub_user_id, new_grant, sub_user_key, at, metadata)
            details = _details(grant, new_grant.resource_label, account.modified_on, context.reason)
            return details, also_write(details, sub_user_key)

        return self._accounts.change(account_id, decide)

    def revoke(self, account_id: UUID, sub_user_id: UUID, grant_id: UUID, context: CommandContext) -> Outcome[None]:
        """Revoke a grant. Raises `SubUserNotFound` or `GrantNotFound`."""
        owner_key, _ = load_owner_and_sub_user_keys(self._vault, account_id, sub_user_id)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            account.sub_user(sub_user_id)
            records = self._grants.list(sub_user_id)
            grant = next((record.grant for record in records if record.grant.grant_id == grant_id), None)
            if grant is None:
                raise GrantNotFound
            account.revoke_role(grant, at=self._clock(), metadata=context.encrypted_with(owner_key))
            return None, []

        return self._accounts.change(account_id, decide)

    def replace(
        self, account_id: UUID, sub_user_id: UUID, new_grants: Sequence[NewGrant], context: CommandContext
    ) -> Outcome[None]:
        """Replace all grants of a sub-user, or change nothing. Grants that stay the same are kept.

        Raises `SubUserNotFound`, `GrantLimitReached`, or `InvalidValue` for a role, a resource or an expiry.
        """
        return self._give(account_id, sub_user_id, new_grants, context, keeps_others=False)

    def add(
        self, account_id: UUID, sub_user_id: UUID, new_grants: Sequence[NewGrant], context: CommandContext
    ) -> Outcome[None]:
        """Give a sub-user several roles, or change nothing. A grant that they already have is not given again.

        Expired grants are revoked if there would be too many. Raises the same as `replace`.
        """
        return self._give(account_id, sub_user_id, new_grants, context, keeps_others=True)

    def _give(
        self,
        account_id: UUID,
        sub_user_id: UUID,
        new_grants: Sequence[NewGrant],
        context: CommandContext,
        *,
        keeps_others: bool,
    ) -> Outcome[None]:
        owner_key, sub_user_key = load_owner_and_sub_user_keys(self._vault, account_id, sub_user_id)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            at, metadata = self._clock(), context.encrypted_with(owner_key)
            account.sub_user(sub_user_id)
            remaining = list(dict.fromkeys(new_grants))
            for record in self._grants.list(sub_user_id):
                same = _as_new_grant(record, sub_user_key)
                if same in remaining:
                    remaining.remove(same)
                elif not keeps_others:
                    account.revoke_role(record.grant, at=at, metadata=metadata)
            if account.grant_counts[sub_user_id].total() + len(remaining) > MAX_GRANTS and keeps_others:
                self._revoke_expired(account, sub_user_id, at, metadata)
            for new_grant in remaining:
                self._ensure_valid(new_grant, account, at)
                _grant(account, uuid4(), sub_user_id, new_grant, sub_user_key, at, metadata)
            return None, []

        return self._accounts.change(account_id, decide)

    def _ensure_valid(self, new_grant: NewGrant, account: MainAccount, at: datetime) -> None:
        """Raise `InvalidValue` for an unknown role or resource type, or an expiry in the past."""
        if new_grant.role_id not in BUILT_IN_ROLES and new_grant.role_id not in account.roles:
            raise InvalidValue("role_id", "is not a role of this account")
        if new_grant.expires_at is not None and new_grant.expires_at <= at:
            raise InvalidValue("expires_at", "must be in the future")
        if new_grant.resource is not None:
            types = {permission.resource_type for permission in self._catalogues.current().permissions}
            if new_grant.resource.type not in types - {None, ACCOUNT}:
                raise InvalidValue("resource", "no permission of the catalogue has this resource type")

    def _revoke_expired(self, account: MainAccount, sub_user_id: UUID, at: datetime, metadata: EventMetadata) -> None:
        for record in self._grants.list(sub_user_id):
            if not record.grant.is_in_force(at):
                account.revoke_role(record.grant, at=at, metadata=metadata)


def _grant(
    account: MainAccount,
    grant_id: UUID,
    sub_user_id: UUID,
    new_grant: NewGrant,
    sub_user_key: PersonKey,
    at: datetime,
    metadata: EventMetadata,
) -> Grant:
    label = new_grant.resource_label
    grant = Grant(grant_id, sub_user_id, new_grant.role_id, new_grant.resource, new_grant.expires_at)
    encrypted_label = sub_user_key.encrypt("resource_label", label) if label is not None else None
    account.grant_role(grant, encrypted_label, at=at, metadata=metadata)
    return grant


def _as_new_grant(record: GrantRecord, sub_user_key: PersonKey) -> NewGrant:
    grant = record.grant
    label = sub_user_key.decrypt("resource_label", record.label) if record.label is not None else None
    return NewGrant(grant.role_id, grant.resource, label, grant.expires_at)


def _details(grant: Grant, label: str | None, granted_at: datetime, reason: str | None) -> GrantDetails:
    resource = LabelledResource(grant.resource.type, grant.resource.id, label) if grant.resource is not None else None
    return GrantDetails(grant.grant_id, grant.role_id, resource, grant.expires_at, granted_at, reason)
