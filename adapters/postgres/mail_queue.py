"""Hands out queued mails, each to one worker at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from application.ports import MailJob
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres", "mail_queue")

CLAIMED_FOR = timedelta(minutes=10)
"""Longer than a mail server may take over one mail: the worker that has it gives up before another tries."""

log = structlog.get_logger(__name__)


class PostgresMailQueue:
    """The queue, in the table `mail_queue`; mails are settled as records."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def claim(self, now: datetime) -> MailJob | None:
        """Return a mail that is due, and keep others off it for a while."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["claim_mail"], {"now": now, "again_at": now + CLAIMED_FOR}).fetchone()
        return MailJob(**row) if row is not None else None

    def of_erased(self, asked: Sequence[tuple[UUID, int]]) -> Sequence[tuple[UUID, int]]:
        """Return those of these mails (account, and what caused them) that were to somebody who has been erased."""
        columns = {"account_ids": [account_id for account_id, _ in asked], "caused_bys": [cause for _, cause in asked]}
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["of_erased"], columns).fetchall()
        return [(row["account_id"], row["caused_by"]) for row in rows]

    def postpone(self, job: MailJob, until: datetime, reply: str) -> None:
        """Have it tried again later. Of the reply only its code is logged: the rest may name the person."""
        log.warning("mail.delayed", account_id=str(job.account_id), caused_by=job.caused_by, code=reply[:3])
        with self._database.get_connection() as connection:
            connection.execute(
                SQL["postpone_mail"],
                {
                    "until": until,
                    "account_id": job.account_id,
                    "caused_by": job.caused_by,
                    "attempts": job.attempts,
                },
            )
