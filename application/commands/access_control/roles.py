"""Commands and queries on the roles of an account."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.data_keys import load_owner_key
from application.errors import InvalidValue
from application.transactional_writes import RequireCatalogueRevision, TransactionalWrite
from domain.permission_catalogue import CATALOGUE_ID, PermissionCatalogue
from domain.refusals import RoleHasChanged
from domain.roles import BUILT_IN_ROLES, Role, permissions_of_role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from application.command_context import CommandContext
    from application.commands.access_control.catalogue import PermissionCatalogues
    from application.ports.clock import Clock
    from application.ports.vault import PersonKey, Vault
    from application.repository import MainAccounts, Outcome
    from domain.main_account import MainAccount

BUILT_IN_NAMES = {"operator": "Operator", "viewer": "Viewer"}


@dataclass(frozen=True)
class RoleDetails:
    """A role. `built_in` is None for an account's own role, `holders` is the number of sub-users who have it."""

    role_id: UUID
    name: str = field(repr=False)
    description: str = field(repr=False)
    permissions: tuple[str, ...]
    built_in: str | None
    holders: int

    @property
    def fingerprint(self) -> str:
        """A text that changes with the name, the description and the permissions."""
        return hashlib.sha256(json.dumps([self.name, self.description, self.permissions]).encode()).hexdigest()


class Roles:
    """Commands and queries on the roles of an account."""

    def __init__(self, accounts: MainAccounts, vault: Vault, catalogues: PermissionCatalogues, clock: Clock) -> None:
        self._accounts = accounts
        self._vault = vault
        self._catalogues = catalogues
        self._clock = clock

    def list(self, account_id: UUID) -> Sequence[RoleDetails]:
        """Return the built-in roles, then the account's own by name."""
        owner_key = load_owner_key(self._vault, account_id)
        account, catalogue = self._accounts.load(account_id), self._catalogues.current()
        built_in = [_details(account, role_id, catalogue, owner_key) for role_id in BUILT_IN_ROLES]
        own = [_details(account, role_id, catalogue, owner_key) for role_id in account.roles]
        return [*built_in, *sorted(own, key=lambda role: (role.name.casefold(), role.role_id))]

    def get(self, account_id: UUID, role_id: UUID) -> RoleDetails:
        """Return a role. Raises `RoleNotFound`."""
        owner_key = load_owner_key(self._vault, account_id)
        account = self._accounts.load(account_id)
        if role_id not in BUILT_IN_ROLES:
            account.own_role(role_id)
        return _details(account, role_id, self._catalogues.current(), owner_key)

    def holders(self, account_id: UUID, role_id: UUID) -> Sequence[UUID]:
        """Return the sub-users who have a role, also on one resource or until a time that has passed."""
        account = self._accounts.load(account_id)
        return [sub_user_id for sub_user_id, counts in account.grant_counts.items() if counts[role_id] > 0]

    def create(
        self,
        account_id: UUID,
        context: CommandContext,
        *,
        name: str,
        description: str = "",
        permissions: frozenset[str],
        also_write: Callable[[RoleDetails, PersonKey], Sequence[TransactionalWrite]] = lambda _details, _key: [],
    ) -> Outcome[RoleDetails]:
        """Create a role. Raises `RoleLimitReached`, `RoleNameTaken`, or `InvalidValue` for the permissions."""
        owner_key = load_owner_key(self._vault, account_id)
        role_id = uuid4()

        def decide(account: MainAccount) -> tuple[RoleDetails, list[TransactionalWrite]]:
            catalogue = self._catalogues.current()
            _ensure_grantable(permissions, catalogue)
            account.create_role(
                Role(
                    role_id,
                    owner_key.encrypt("name", name),
                    owner_key.encrypt("description", description),
                    permissions,
                ),
                has_unique_name=not _has_role_named(account, name, None, owner_key),
                at=self._clock(),
                metadata=context.encrypted_with(owner_key),
            )
            details = _details(account, role_id, catalogue, owner_key)
            require_catalogue = RequireCatalogueRevision(CATALOGUE_ID, catalogue.revision)
            return details, [require_catalogue, *also_write(details, owner_key)]

        return self._accounts.change(account_id, decide)

    def change(
        self,
        account_id: UUID,
        role_id: UUID,
        context: CommandContext,
        *,
        name: str | None = None,
        description: str | None = None,
        permissions: frozenset[str] | None = None,
        if_fingerprint: str | None = None,
    ) -> Outcome[RoleDetails]:
        """Change a role. None leaves a value unchanged.

        Raises `RoleNotFound`, `RoleIsBuiltIn`, `RoleNameTaken`, `InvalidValue` for the permissions, or
        `RoleHasChanged` unless the role has this fingerprint.
        """
        owner_key = load_owner_key(self._vault, account_id)

        def decide(account: MainAccount) -> tuple[RoleDetails, list[TransactionalWrite]]:
            catalogue = self._catalogues.current()
            role = account.own_role(role_id)
            if if_fingerprint not in {None, _details(account, role_id, catalogue, owner_key).fingerprint}:
                raise RoleHasChanged
            if permissions is not None:
                _ensure_grantable(permissions, catalogue)
            is_renamed = name is not None and name != owner_key.decrypt("name", role.name)
            is_redescribed = description is not None and description != owner_key.decrypt(
                "description", role.description
            )
            account.change_role(
                role_id,
                name=owner_key.encrypt("name", name) if name is not None and is_renamed else None,
                description=owner_key.encrypt("description", description)
                if description is not None and is_redescribed
                else None,
                permissions=permissions,
                has_unique_name=name is None or not _has_role_named(account, name, role_id, owner_key),
                at=self._clock(),
                metadata=context.encrypted_with(owner_key),
            )
            details = _details(account, role_id, catalogue, owner_key)
            if permissions is None or not account.pending_events:
                return details, []
            return details, [RequireCatalogueRevision(CATALOGUE_ID, catalogue.revision)]

        return self._accounts.change(account_id, decide)

    def delete(self, account_id: UUID, role_id: UUID, context: CommandContext) -> Outcome[None]:
        """Delete an unused role. Raises `RoleNotFound`, `RoleIsBuiltIn` or `RoleInUse`."""
        owner_key = load_owner_key(self._vault, account_id)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            account.delete_role(role_id, at=self._clock(), metadata=context.encrypted_with(owner_key))
            return None, []

        return self._accounts.change(account_id, decide)


def _details(account: MainAccount, role_id: UUID, catalogue: PermissionCatalogue, owner_key: PersonKey) -> RoleDetails:
    role = account.roles.get(role_id)
    permissions = permissions_of_role(role_id, catalogue, role.permissions if role is not None else None)
    built_in = BUILT_IN_ROLES.get(role_id)
    return RoleDetails(
        role_id=role_id,
        name=owner_key.decrypt("name", role.name) if role is not None else BUILT_IN_NAMES[built_in or ""],
        description=owner_key.decrypt("description", role.description) if role is not None else "",
        permissions=tuple(name for name in catalogue.grantable if name in permissions),
        built_in=built_in,
        holders=account.holders_of(role_id),
    )


def _ensure_grantable(permissions: frozenset[str], catalogue: PermissionCatalogue) -> None:
    if not permissions.issubset(catalogue.grantable):
        raise InvalidValue("permissions", "must be grantable permissions of the catalogue")


def _has_role_named(account: MainAccount, name: str, except_role: UUID | None, owner_key: PersonKey) -> bool:
    """Return whether another role has this name. Upper and lower case make no difference."""
    own_names = [owner_key.decrypt("name", role.name) for role in account.roles.values() if role.role_id != except_role]
    return name.casefold() in {other.casefold() for other in [*own_names, *BUILT_IN_NAMES.values()]}
