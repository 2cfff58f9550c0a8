"""Queue of mails. Each mail is claimed by one worker at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from adapters.postgres.sql_files import statements
from application.ports.mailing import MailJob

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.tables", "mail_queue")

CLAIM_DURATION = timedelta(minutes=10)
"""Longer than the limit for sending one mail, so that a worker gives up before another one tries."""

log = structlog.get_logger(__name__)


class PostgresMailQueue:
    """Claims and postpones mails of the table `mail_queue`. Transactional writes finish them."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def claim(self, now: datetime) -> MailJob | None:
        """Return a mail that is due, if any, and reserve it for this worker for `CLAIM_DURATION`."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["claim_mail"], {"now": now, "again_at": now + CLAIM_DURATION}).fetchone()
        return MailJob(**row) if row is not None else None

    def has_sent_credentials(self, job: MailJob, since_version: int) -> bool:
        """Return whether credentials that events from `since_version` to `job` requested were mailed to its person."""
        parameters = {
            "account_id": job.account_id,
            "sub_user_id": job.sub_user_id,
            "since_version": since_version,
            "caused_by": job.caused_by,
        }
        with self._database.get_connection() as connection:
            return connection.execute(SQL["find_sent_credentials"], parameters).fetchone() is not None

    def filter_erased(self, mails: Sequence[tuple[UUID, int]]) -> Sequence[tuple[UUID, int]]:
        """Return the mails, as pairs of account and causing version, whose recipient has been erased."""
        columns = {
            "account_ids": [account_id for account_id, _ in mails],
            "causing_versions": [caused_by for _, caused_by in mails],
        }
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["filter_erased"], columns).fetchall()
        return [(row["account_id"], row["caused_by"]) for row in rows]

    def postpone(self, job: MailJob, until: datetime, reply: str) -> None:
        """Schedule another attempt. Only the code of the server's reply is logged: its text may name the person."""
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
