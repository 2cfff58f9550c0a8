"""The view of everything that happened in an account: by whom, to whom, when, and where the whole of it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from domain import events
from projections.audit_actions import ACTIONS
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg import Connection

    from projections.event_log import Positioned

SQL = statements("projections", "audit_log")


class AuditLog:
    """Follows every event."""

    name = "audit-log"
    tables = ("audit_view",)

    def __init__(self, mapper: Mapper[UUID]) -> None:
        self._mapper = mapper

    def apply(self, connection: Connection[Any], batch: Sequence[Positioned]) -> None:
        """Take over these events, in the transaction that is open."""
        rows = [self._row(positioned) for positioned in batch]
        with connection.cursor() as cursor:
            cursor.executemany(SQL["add_row"], rows)

    def _row(self, positioned: Positioned) -> dict[str, Any]:
        event = cast("object", self._mapper.to_domain_event(positioned.stored))
        match event:
            case events.SubUserActivityRecorded():
                return {
                    "position": positioned.position,
                    "account_id": event.account_id,
                    "action": event.action,
                    "sub_user_id": event.sub_user_id,
                    "occurred_at": event.occurred_at,
                }
            case events.Event():
                return {
                    "position": positioned.position,
                    "account_id": event.account_id,
                    "action": ACTIONS[positioned.stored.topic],
                    "sub_user_id": event.subject_id,
                    "occurred_at": event.timestamp,
                }
            case _:
                raise TypeError(positioned.stored.topic)
