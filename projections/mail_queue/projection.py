"""Mail queue, filled from the events that require a mail.

A row is kept for good, so that a replay does not send its mail again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from adapters.postgres.sql_files import statements
from domain import events
from domain.mails import SecurityNotice
from domain.second_factor import VerificationMethod
from domain.sub_user import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent

SQL = statements("projections.mail_queue", "projection")
SECURITY_NOTICES = {
    events.PasswordResetRequested.TOPIC: SecurityNotice.PASSWORD_RESET,
    events.NewDeviceSignedIn.TOPIC: SecurityNotice.NEW_DEVICE,
    events.SecondFactorAdded.TOPIC: SecurityNotice.SECOND_FACTOR_ADDED,
    events.SecondFactorRemoved.TOPIC: SecurityNotice.SECOND_FACTOR_REMOVED,
    events.SecondFactorsReset.TOPIC: SecurityNotice.SECOND_FACTORS_RESET,
    events.MainAccountEmailChangeRequested.TOPIC: SecurityNotice.EMAIL_CONFIRMATION,
    events.MainAccountFormerEmailKept.TOPIC: SecurityNotice.OWNER_EMAIL_CHANGED,
    events.MainAccountEmailChangeUndone.TOPIC: SecurityNotice.OWNER_EMAIL_RESTORED,
    events.SignInEmailAnnounced.TOPIC: SecurityNotice.SIGN_IN_EMAIL,
}
"""Notices to the person that an event is about: its sub-user, or the account's owner."""

MAILED_TOPICS = SECURITY_NOTICES.keys() | {
    event.TOPIC
    for event in (
        events.SubUserActivated,
        events.SubUserPasswordReset,
        events.SubUserPasswordChanged,
        events.SubUserEmailChanged,
        events.MainAccountDetailsChanged,
        events.PasswordResetForwarded,
        events.SecondFactorVerified,
    )
}


class MailQueueProjection:
    """Queues a mail for each event that a person is notified of."""

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


def _row(event: object) -> dict[str, Any] | None:  # noqa: PLR0911  # one return for each kind of event
    match event:
        case events.SubUserPasswordChanged():
            return _mail(event, event.sub_user_id, Notice.PASSWORD_CHANGED)
        case events.SubUserEmailChanged():
            return _mail(event, event.sub_user_id, Notice.EMAIL_CHANGED)
        case events.SubUserActivated() | events.SubUserPasswordReset() if event.notice != Notice.NONE:
            return _mail(event, event.sub_user_id, event.notice, event.credentials)
        case events.MainAccountDetailsChanged() if event.password_changed:
            return _mail(event, None, SecurityNotice.OWNER_PASSWORD_CHANGED)
        case events.PasswordResetForwarded():
            return _mail(event, None, SecurityNotice.PASSWORD_RESET_FORWARDED)
        case events.SecondFactorVerified() if event.method is VerificationMethod.RECOVERY_CODE:
            return _mail(event, event.sub_user_id, SecurityNotice.RECOVERY_CODE_USED)
        case events.Event() if event.TOPIC in SECURITY_NOTICES:
            return _mail(event, event.subject_id, SECURITY_NOTICES[event.TOPIC])
        case _:
            return None


def _mail(
    event: events.Event,
    sub_user_id: UUID | None,
    notice: Notice | SecurityNotice,
    credentials_version: int | None = None,
) -> dict[str, Any]:
    """Return the row of a mail to a sub-user, or to the account's owner (None)."""
    return {
        "account_id": event.account_id,
        "caused_by": event.originator_version,
        "sub_user_id": sub_user_id,
        "notice": notice,
        "credentials_version": credentials_version,
        "asked_at": event.timestamp,
    }
