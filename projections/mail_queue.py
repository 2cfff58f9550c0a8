"""The mails that events ask for, each queued once: a row is kept for good, so that no replay sends it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from domain import events
from domain.sub_user import Notice
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg import Connection

    from projections.event_log import Positioned

SQL = statements("projections", "mail_queue")
ASKING = {"SubUserActivated", "SubUserPasswordReset", "SubUserPasswordChanged"}


class MailQueueView:
    """Follows the events that a sub-user is told of by mail."""

    name = "mail-queue"
    tables: tuple[str, ...] = ()

    def __init__(self, mapper: Mapper[UUID]) -> None:
        self._mapper = mapper

    def apply(self, connection: Connection[Any], batch: Sequence[Positioned]) -> None:
        """Take over these events, in the transaction that is open."""
        asking = [self._mapper.to_domain_event(one.stored) for one in batch if one.stored.topic in ASKING]
        rows = [row for event in asking if (row := _row(cast("object", event))) is not None]
        if rows:
            with connection.cursor() as cursor:
                cursor.executemany(SQL["enqueue"], rows)


def _row(event: object) -> dict[str, Any] | None:
    match event:
        case events.SubUserPasswordChanged():
            notice, credentials = Notice.PASSWORD_CHANGED, None
        case events.SubUserActivated() | events.SubUserPasswordReset() if event.notice != Notice.NONE:
            notice, credentials = event.notice, event.credentials
        case _:
            return None
    return {
        "account_id": event.account_id,
        "caused_by": event.originator_version,
        "sub_user_id": event.sub_user_id,
        "notice": notice,
        "credentials": credentials,
        "asked_at": event.timestamp,
    }
