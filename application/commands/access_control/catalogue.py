"""The permission catalogue: its revisions, and the command that replaces it."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from application.data_keys import load_owner_key
from application.errors import TooBusy, VersionConflict
from application.repository import ATTEMPTS, Outcome
from application.transactional_writes import RequireUnusedPermissions
from domain import events
from domain.event_metadata import ActorType
from domain.permission_catalogue import CATALOGUE_ID, INITIAL_CATALOGUE, Permission, PermissionCatalogue
from domain.refusals import AccountNotFound, CatalogueChanged, PermissionInUse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime
    from uuid import UUID

    from application.command_context import CommandContext
    from application.commands.access_control.grant_store import GrantStore
    from application.ports.clock import Clock
    from application.ports.vault import Vault
    from application.repository import MainAccounts
    from domain.event_metadata import EventMetadata
    from domain.main_account import MainAccount


CACHED_REVISIONS = 100
"""Checks read the current catalogue, questions about the past an earlier one."""


@dataclass(frozen=True)
class LoadedAccount:
    """An account at one version, and the metadata of its next events."""

    account: MainAccount
    metadata: EventMetadata

    def without(self, names: AbstractSet[str], at: datetime) -> MainAccount:
        """Return a copy of the account whose roles lose permissions, with the events pending."""
        account = deepcopy(self.account)
        account.withdraw_permissions(names, at=at, metadata=self.metadata)
        return account


class PermissionCatalogues:
    """The permission catalogue of the installation, now and at earlier revisions."""

    def __init__(
        self,
        accounts: MainAccounts,
        grants: GrantStore,
        vault: Vault,
        clock: Clock,
        current_epoch: Callable[[], UUID | None],
    ) -> None:
        self._accounts = accounts
        self._grants = grants
        self._vault = vault
        self._clock = clock
        self._current_epoch = current_epoch
        self._of_revision_in_epoch = lru_cache(CACHED_REVISIONS)(self._load)

    def current(self) -> PermissionCatalogue:
        """Return the current catalogue."""
        return self.of_revision(self._grants.catalogue_revision())

    def of_revision(self, revision: int) -> PermissionCatalogue:
        """Return the catalogue of a revision. Within an epoch of the store, it never changes."""
        return self._of_revision_in_epoch(revision, self._current_epoch())

    def forget(self) -> None:
        """Forget the catalogues read so far, because events were deleted on purpose: from the store of a test."""
        self._of_revision_in_epoch.cache_clear()

    def replace(
        self,
        permissions: Sequence[Permission],
        context: CommandContext,
        *,
        if_revisions: Collection[int] | None = None,
        remove_from_roles: bool = False,
    ) -> Outcome[PermissionCatalogue]:
        """Replace the catalogue. The same permissions record nothing. The actor is the system, with the API key's id.

        Roles may have permissions that would no longer be grantable. Raises `PermissionInUse` then, unless
        `remove_from_roles`: all roles lose them in the same transaction, each with an event. Raises `CatalogueChanged`.
        """
        context = replace(context, actor_type=ActorType.SYSTEM, actor_id=context.api_key_id)
        loaded: dict[UUID, LoadedAccount] = {}
        for _ in range(ATTEMPTS):
            current = self.current()
            if if_revisions is not None and current.revision not in if_revisions:
                raise CatalogueChanged
            replaced = PermissionCatalogue(current.revision + 1, tuple(permissions))
            if replaced.permissions == current.permissions:
                return Outcome(current, None)
            withdrawn = frozenset(current.grantable).difference(replaced.grantable)
            at = self._time_after(current.revision)
            account_versions = self._grants.accounts_with_permissions(sorted(withdrawn)) if withdrawn else {}
            if account_versions and not remove_from_roles:
                raise PermissionInUse(withdrawn)
            event = events.PermissionCatalogueSet(
                originator_id=CATALOGUE_ID,
                originator_version=replaced.revision,
                timestamp=at,
                permissions=" ".join(replaced.by_name),
                definitions=json.dumps([asdict(permission) for permission in permissions], separators=(",", ":")),
                actor_type=context.actor_type,
                actor_id=context.actor_id,
                request_id=context.request_id,
                ip=None,
                user_agent=None,
                actor_api_key_id=context.api_key_id,
            )
            try:
                self._load_outdated(loaded, account_versions, context)
                accounts = [loaded[account_id].without(withdrawn, at) for account_id in account_versions]
                position = self._accounts.save_together(
                    [event], accounts, [RequireUnusedPermissions(sorted(withdrawn))]
                )
            except (VersionConflict, AccountNotFound):  # an account was erased in the meantime
                continue
            return Outcome(replaced, position)
        raise TooBusy

    def _time_after(self, revision: int) -> datetime:
        """Return the time of the next revision. Hosts' clocks differ, but times must not go backwards in a stream."""
        now = self._clock()
        return now if revision == 0 else max(now, self._event(revision).timestamp)

    def _load_outdated(
        self, loaded: dict[UUID, LoadedAccount], versions: Mapping[UUID, int], context: CommandContext
    ) -> None:
        """Load the accounts that are not loaded at these versions.

        A repeated attempt loads only what has changed. Loading all accounts anew would take so long that one of them
        changes again.
        """
        for account_id, version in versions.items():
            if account_id not in loaded or loaded[account_id].account.version != version:
                metadata = context.encrypted_with(load_owner_key(self._vault, account_id))
                loaded[account_id] = LoadedAccount(self._accounts.load(account_id), metadata)

    def _load(self, revision: int, _epoch: UUID | None) -> PermissionCatalogue:
        if revision == 0:
            return INITIAL_CATALOGUE
        definitions = json.loads(self._event(revision).definitions)
        return PermissionCatalogue(revision, tuple(Permission(**definition) for definition in definitions))

    def _event(self, revision: int) -> events.PermissionCatalogueSet:
        (event,) = self._accounts.events.get(CATALOGUE_ID, gt=revision - 1, lte=revision)
        return cast("events.PermissionCatalogueSet", event)
