"""Personal data held about one sub-user, other than audit rows: for subject access requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from adapters.postgres.sql_files import statements
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg.rows import DictRow

    from projections.audit_log.rows import AuditRow
    from projections.runtime.freshness import Database, Freshness

SQL = statements("projections.history", "personal_data")

OWN_ACTORS = frozenset({ActorType.SUB_USER, ActorType.ANONYMOUS})
"""Actors whose requests are the sub-user's own. Where any other actor connected from is that actor's personal data."""


@dataclass(frozen=True)
class MailsAndUsage:
    """Mails queued for a sub-user, and the usage of each day."""

    mails: Sequence[DictRow]
    usage: Sequence[DictRow]


class PersonalData:
    """Reads personal data, once the views contain every event recorded before the request."""

    def __init__(self, database: Database, freshness: Freshness) -> None:
        self._database = database
        self._freshness = freshness

    def mails_and_usage(self, account_id: UUID, sub_user_id: UUID) -> MailsAndUsage:
        """Return the mails and the usage of a sub-user, whether or not they still exist."""
        self._freshness.wait_for_view("usage")
        self._freshness.wait_for_view("mail-queue")
        ids = {"account_id": account_id, "sub_user_id": sub_user_id}
        with self._database.get_connection() as connection:
            mails, usage = (connection.execute(SQL[name], ids).fetchall() for name in ("mails", "usage"))
        return MailsAndUsage(mails, usage)


def without_third_party_data(row: AuditRow) -> AuditRow:
    """Return the row without the personal data of another actor: their names, IP address, user agent and reason.

    A person at the portal who acted for the sub-user is another person, too.
    """
    if row.actor["type"] in OWN_ACTORS:
        return replace(row, reason=None, actor={**row.actor, "person": None})
    return replace(row, ip=None, user_agent=None, reason=None, actor={**row.actor, "name": None, "person": None})
