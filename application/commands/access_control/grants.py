"""Commands and queries on the grants of a sub-user."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.commands.access_control.grant_store import GrantRecord
from application.data_keys import load_owner_and_sub_user_keys
from application.errors import InvalidValue
from domain.refusals import GrantNotFound
from domain.roles import BUILT_IN_ROLES, MAX_GRANTS, Grant, Resource, default_grant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from application.command_context import CommandContext
    from application.commands.access_control.catalogue import PermissionCatalogues
    from application.commands.access_control.grant_store import GrantStore
    from application.ports.clock import Clock
    from application.ports.vault import PersonKey, Vault
    from application.repository import MainAccounts, Outcome
    from application.transactional_writes import TransactionalWrite
    from domain.event_metadata import EventMetadata
    from domain.main_account import MainAccount
    from domain.permission_catalogue import PermissionCatalogue


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
            account.sub_user(sub_user_id)
            changes = self._changes(account, sub_user_id, sub_user_key, context.encrypted_with(owner_key))
            changes.ensure_valid(new_grant)
            if account.grant_counts[sub_user_id].total() >= MAX_GRANTS:
                changes.revoke_expired(self._grants.list(sub_user_id))
            grant = changes.grant(grant_id, new_grant)
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

        Raises `SubUserNotFound`, `GrantLimitReached`, or `InvalidValue` for a field of one of `grants`.
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
            account.sub_user(sub_user_id)
            changes = self._changes(account, sub_user_id, sub_user_key, context.encrypted_with(owner_key))
            changes.give(new_grants, self._grants.list(sub_user_id), keeps_others=keeps_others)
            return None, []

        return self._accounts.change(account_id, decide)

    def _changes(
        self, account: MainAccount, sub_user_id: UUID, sub_user_key: PersonKey, metadata: EventMetadata
    ) -> GrantChanges:
        return GrantChanges(account, sub_user_id, sub_user_key, self._catalogues.current(), self._clock(), metadata)


@dataclass(frozen=True)
class GrantChanges:
    """Changes of a sub-user's grants at one time, as events of the account."""

    account: MainAccount
    sub_user_id: UUID
    sub_user_key: PersonKey
    catalogue: PermissionCatalogue
    at: datetime
    metadata: EventMetadata

    def replace_default(self, new_grants: Iterable[NewGrant]) -> None:
        """Replace the grant of a sub-user whose creation is the last event of the account. Raises as `give`."""
        default = default_grant(self.sub_user_id, self.account.version)
        self.give(new_grants, [GrantRecord(default, self.at, label=None, reason=None)], keeps_others=False)

    def give(self, new_grants: Iterable[NewGrant], records: Sequence[GrantRecord], *, keeps_others: bool) -> None:
        """Give the sub-user roles. `records` are their grants. Those that stay the same are kept.

        Others are revoked unless it `keeps_others`, expired ones also if there would be too many. Raises
        `GrantLimitReached`, or `InvalidValue` for a field of one of `grants`.
        """
        indexes_by_grant = {new_grant: index for index, new_grant in reversed(list(enumerate(new_grants)))}
        others = [
            record.grant
            for record in records
            if indexes_by_grant.pop(_as_new_grant(record, self.sub_user_key), None) is None
        ]
        count = self.account.grant_counts[self.sub_user_id].total() + len(indexes_by_grant)
        self._revoke(others if not keeps_others else self._expired(others) if count > MAX_GRANTS else [])
        for new_grant, index in sorted(indexes_by_grant.items(), key=itemgetter(1)):
            self.ensure_valid(new_grant, f"grants.{index}.")
            self.grant(uuid4(), new_grant)

    def grant(self, grant_id: UUID, new_grant: NewGrant) -> Grant:
        """Give the sub-user a role. Raises `GrantLimitReached`."""
        label = new_grant.resource_label
        grant = Grant(grant_id, self.sub_user_id, new_grant.role_id, new_grant.resource, new_grant.expires_at)
        encrypted_label = self.sub_user_key.encrypt("resource_label", label) if label is not None else None
        self.account.grant_role(grant, encrypted_label, at=self.at, metadata=self.metadata)
        return grant

    def ensure_valid(self, new_grant: NewGrant, path: str = "") -> None:
        """Raise `InvalidValue` for an unknown role or resource type, or an expiry in the past.

        `path` is that of the grant in the request, before the name of the field.
        """
        if new_grant.role_id not in BUILT_IN_ROLES and new_grant.role_id not in self.account.roles:
            raise InvalidValue(f"{path}role_id", "is not a role of this account")
        if new_grant.expires_at is not None and new_grant.expires_at <= self.at:
            raise InvalidValue(f"{path}expires_at", "must be in the future")
        if new_grant.resource is not None and new_grant.resource.type not in self.catalogue.resource_types:
            raise InvalidValue(f"{path}resource.type", "no permission of the catalogue has this resource type")

    def revoke_expired(self, records: Iterable[GrantRecord]) -> None:
        """Revoke the grants that have expired."""
        self._revoke(self._expired(record.grant for record in records))

    def _expired(self, grants: Iterable[Grant]) -> list[Grant]:
        return [grant for grant in grants if not grant.is_in_force(self.at)]

    def _revoke(self, grants: Iterable[Grant]) -> None:
        for grant in grants:
            self.account.revoke_role(grant, at=self.at, metadata=self.metadata)


def _as_new_grant(record: GrantRecord, sub_user_key: PersonKey) -> NewGrant:
    grant = record.grant
    label = sub_user_key.decrypt("resource_label", record.label) if record.label is not None else None
    return NewGrant(grant.role_id, grant.resource, label, grant.expires_at)


def _details(grant: Grant, label: str | None, granted_at: datetime, reason: str | None) -> GrantDetails:
    resource = LabelledResource(grant.resource.type, grant.resource.id, label) if grant.resource is not None else None
    return GrantDetails(grant.grant_id, grant.role_id, resource, grant.expires_at, granted_at, reason)
