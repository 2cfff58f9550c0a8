"""The permission catalogue: its revisions, and the command that replaces it."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from application.data_keys import load_owner_key
from application.errors import TooBusy, VersionConflict
from application.repository import ATTEMPTS, Outcome
from application.transactional_writes import RequireUnusedPermissions
from domain import events
from domain.permission_catalogue import CATALOGUE_ID, INITIAL_CATALOGUE, Permission, PermissionCatalogue
from domain.refusals import CatalogueChanged, PermissionInUse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from application.command_context import CommandContext
    from application.commands.access_control.grant_store import GrantStore
    from application.ports.clock import Clock
    from application.ports.vault import Vault
    from application.repository import MainAccounts
    from domain.main_account import MainAccount


CACHED_REVISIONS = 100
"""Checks read the current catalogue, questions about the past an earlier one."""


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
        """Replace the catalogue. The same permissions record nothing.

        Roles may have permissions that would no longer be grantable. Raises `PermissionInUse` then, unless
        `remove_from_roles`: all roles lose them in the same transaction, each with an event. Raises `CatalogueChanged`.
        """
        for _ in range(ATTEMPTS):
            current = self.current()
            if if_revisions is not None and current.revision not in if_revisions:
                raise CatalogueChanged
            replaced = PermissionCatalogue(current.revision + 1, tuple(permissions))
            if replaced.permissions == current.permissions:
                return Outcome(current, None)
            withdrawn = frozenset(current.grantable).difference(replaced.grantable)
            at = self._time_after(current.revision)
            accounts = self._withdraw(withdrawn, context, at, allowed=remove_from_roles)
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
                position = self._accounts.save_together(
                    [event], accounts, [RequireUnusedPermissions(sorted(withdrawn))]
                )
            except VersionConflict:
                continue
            return Outcome(replaced, position)
        raise TooBusy

    def _time_after(self, revision: int) -> datetime:
        """Return the time of the next revision. Hosts' clocks differ, but times must not go backwards in a stream."""
        now = self._clock()
        return now if revision == 0 else max(now, self._event(revision).timestamp)

    def _withdraw(
        self, names: frozenset[str], context: CommandContext, at: datetime, *, allowed: bool
    ) -> list[MainAccount]:
        """Return the accounts whose roles lose these permissions, with the events pending."""
        account_ids = self._grants.accounts_with_permissions(sorted(names)) if names else []
        if account_ids and not allowed:
            raise PermissionInUse(names)
        accounts = []
        for account_id in account_ids:
            account = self._accounts.load(account_id)
            metadata = context.encrypted_with(load_owner_key(self._vault, account_id))
            account.withdraw_permissions(names, at=at, metadata=metadata)
            accounts.append(account)
        return accounts

    def _load(self, revision: int, _epoch: UUID | None) -> PermissionCatalogue:
        if revision == 0:
            return INITIAL_CATALOGUE
        definitions = json.loads(self._event(revision).definitions)
        return PermissionCatalogue(revision, tuple(Permission(**definition) for definition in definitions))

    def _event(self, revision: int) -> events.PermissionCatalogueSet:
        (event,) = self._accounts.events.get(CATALOGUE_ID, gt=revision - 1, lte=revision)
        return cast("events.PermissionCatalogueSet", event)
