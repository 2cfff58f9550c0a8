"""What is held about one person, apart from the audit log's rows: for whoever asks what that is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.cause import ActorType
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg.rows import DictRow

    from projections.audit_rows import AuditRow
    from projections.freshness import Database, Freshness

SQL = statements("projections", "personal_data")

OWN = frozenset({ActorType.SUB_USER, ActorType.ANONYMOUS})
"""Who acts as the person, or in their name: where anybody else came from is about somebody else."""


@dataclass(frozen=True)
class MailsAndUsage:
    """What a person was to be told by mail, and what they used, on each day."""

    mails: Sequence[DictRow]
    usage: Sequence[DictRow]


class PersonalData:
    """Reads it once the views have all that was settled before."""

    def __init__(self, database: Database, freshness: Freshness) -> None:
        self._database = database
        self._freshness = freshness

    def of(self, account_id: UUID, sub_user_id: UUID) -> MailsAndUsage:
        """Return what is held about a sub-user, whoever that is."""
        self._freshness.of_view("usage")
        self._freshness.of_view("mail-queue")
        who = {"account_id": account_id, "sub_user_id": sub_user_id}
        with self._database.get_connection() as connection:
            mails, usage = (connection.execute(SQL[name], who).fetchall() for name in ("mails", "usage"))
        return MailsAndUsage(mails, usage)


def about(row: AuditRow) -> AuditRow:
    """Return a row without what it tells of others: where the account's owner, or support, came from."""
    if row.actor["type"] in OWN:
        return row
    return replace(row, ip=None, user_agent=None, reason=None, actor={**row.actor, "name": None})
