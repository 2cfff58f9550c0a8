"""Who had access to what at a moment in the past, from the events alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

from application.commands.access_control.checks import Holder, holders
from application.errors import InvalidValue
from domain import events
from domain.access_decision import AccessRules
from domain.permission_catalogue import CATALOGUE_ID
from domain.refusals import AccountNotFound
from domain.roles import Grant, Resource, default_grant
from projections.history.reader import apply_after_gap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from application.commands.access_control.catalogue import PermissionCatalogues
    from application.ports.clock import Clock
    from domain.access_decision import Question
    from domain.main_account import MainAccount
    from projections.history.reader import EventSource

CLOCK_TOLERANCE = timedelta(seconds=1)
"""Allowed lead of `as_of`: it may be a time that another process recorded."""


class PastAccess:
    """Answers who had access to what at a moment, and finds the events that gave it."""

    def __init__(self, source: EventSource, catalogues: PermissionCatalogues, clock: Clock) -> None:
        self._source = source
        self._catalogues = catalogues
        self._clock = clock

    def holders(self, account_id: UUID, question: Question, as_of: datetime) -> list[Holder]:
        """Return the sub-users who could do something at a moment, by the time of their creation.

        Raises `AccountNotFound`, and `InvalidValue` for a time in the future.
        """
        if as_of > self._clock() + CLOCK_TOLERANCE:
            raise InvalidValue("as_of", "must not be in the future")
        version = self._version_at(account_id, as_of)
        rows = self._source.rows("access_events", account_id=account_id, max_version=version)
        account: MainAccount | None = None
        grants: dict[UUID, Grant] = {}
        for row in rows:
            event = cast("events.Event", self._source.event(row))
            account = apply_after_gap(account, event)
            apply_to_grants(grants, event)
        if account is None:
            raise AccountNotFound
        permissions = {role.role_id: role.permissions for role in account.roles.values()}
        catalogue = self._catalogues.of_revision(self._version_at(CATALOGUE_ID, as_of))
        rules = AccessRules(catalogue, permissions)
        return holders(account, rules, list(grants.values()), question, as_of)

    def _version_at(self, stream_id: UUID, at: datetime) -> int:
        (row,) = self._source.rows("version_at_time", account_id=stream_id, at=at)
        version: int = row["version"]
        return version

    def positions(self, account_id: UUID, found: Sequence[Holder]) -> Mapping[int, int]:
        """Return the positions of the events that gave the grants, by version."""
        versions = [holder.grant.version for holder in found]
        rows = self._source.rows("positions_of", account_id=account_id, versions=versions)
        return {row["version"]: row["position"] for row in rows}


def apply_to_grants(grants: dict[UUID, Grant], event: events.Event) -> None:
    """Apply an event of an account to the grants of its sub-users, by id."""
    match event:
        case events.SubUserCreated():
            grant = default_grant(event.sub_user_id, event.originator_version)
            grants[grant.grant_id] = grant
        case events.SubUserDeleted():
            for grant in [grant for grant in grants.values() if grant.sub_user_id == event.sub_user_id]:
                del grants[grant.grant_id]
        case events.RoleGranted():
            resource = Resource(event.resource_type, event.resource_id or "") if event.resource_type else None
            grants[event.grant_id] = Grant(
                event.grant_id,
                event.sub_user_id,
                event.role_id,
                resource,
                event.expires_at,
                version=event.originator_version,
            )
        case events.RoleRevoked():
            del grants[event.grant_id]
