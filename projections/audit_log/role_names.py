"""Names of roles, which only the events have: also those of deleted roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from eventsourcing.persistence import StoredEvent

from adapters.postgres.sql_files import statements
from domain import events
from projections.audit_log.rows import decrypt_event_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from eventsourcing.persistence import Mapper

    from application.ports.vault import VaultEntry
    from domain.events import AnyEvent
    from projections.runtime.freshness import Database

SQL = statements("projections.audit_log", "role_names")

ROLE_EVENTS = (
    events.RoleCreated,
    events.RoleChanged,
    events.RoleDeleted,
    events.RoleGranted,
    events.RoleRevoked,
)
"""Events whose descriptions mention a role."""


def role_names(
    database: Database, mapper: Mapper[UUID], entries: Mapping[UUID, VaultEntry], mentioning: Iterable[AnyEvent]
) -> dict[str, str]:
    """Return the latest names of the roles of the accounts in which these events mention roles, by id as text."""
    account_ids = {event.account_id for event in mentioning if isinstance(event, ROLE_EVENTS)}
    if not account_ids:
        return {}
    with database.get_connection() as connection:
        rows = connection.execute(SQL["name_events"], {"account_ids": list(account_ids)}, prepare=True).fetchall()
    names = {}
    for row in rows:
        stored = StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
        event = cast("events.RoleCreated | events.RoleChanged", mapper.to_domain_event(stored))
        name = decrypt_event_field(event, "name", entries)
        if name is not None:
            names[str(event.role_id)] = name
    return names
