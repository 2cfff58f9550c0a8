"""Mail queue, filled from the events that require a mail.

A row is kept for good, so that a replay does not send its mail again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from adapters.postgres.sql_files import statements
from domain import events
from domain.sub_user import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent

SQL = statements("projections.mail_queue", "projection")
MAILED_TOPICS = {
    event.TOPIC
    for event in (
        events.SubUserActivated,
        events.SubUserPasswordReset,
        events.SubUserPasswordChanged,
        events.SubUserEmailChanged,
    )
}


class MailQueueProjection:
    """Queues a mail for each event that a sub-user is notified of."""

    name = "mail-queue"
    tables: tuple[str, ...] = ()

    def __init__(self, mapper: Mapper[UUID]) -> None:
        self._mapper = mapper

    def apply(self, connection: Connection[Any], batch: Sequence[RecordedEvent]) -> None:
        """Apply these events in the current transaction."""
        events_to_mail = [
            self._mapper.to_domain_event(recorded.stored)
            for recorded in batch
            if recorded.stored.topic in MAILED_TOPICS
        ]
        rows = [row for event in events_to_mail if (row := _row(cast("object", event))) is not None]
        if rows:
            with connection.cursor() as cursor:
                cursor.executemany(SQL["enqueue"], rows)


def _row(event: object) -> dict[str, Any] | None:
    match event:
        case events.SubUserPasswordChanged():
            notice, credentials_version = Notice.PASSWORD_CHANGED, None
        case events.SubUserEmailChanged():
            notice, credentials_version = Notice.EMAIL_CHANGED, None
        case events.SubUserActivated() | events.SubUserPasswordReset() if event.notice != Notice.NONE:
            notice, credentials_version = event.notice, event.credentials
        case _:
            return None
    return {
        "account_id": event.account_id,
        "caused_by": event.originator_version,
        "sub_user_id": event.sub_user_id,
        "notice": notice,
        "credentials_version": credentials_version,
        "asked_at": event.timestamp,
    }
