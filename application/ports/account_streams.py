"""Port: event streams of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import StoredEvent


class AccountStreams(Protocol):
    """Event streams and snapshots from which accounts are reconstructed."""

    def read(self, account_id: UUID) -> Sequence[StoredEvent]:
        """Return the latest snapshot, if any, and all later events, as of one moment after the call."""

    def read_by_email(self, email_hash: str, now: datetime) -> Sequence[StoredEvent]:
        """Return the same for the account with an e-mail, or with a former one that still works. Empty without one."""

    def read_from_beginning(self, account_id: UUID) -> Sequence[StoredEvent]:
        """Return all events of the account."""

    def read_event(self, account_id: UUID, version: int) -> StoredEvent:
        """Return the event with a version, which must exist."""

    def read_contacts(self, account_id: UUID, sub_user_id: UUID) -> Sequence[StoredEvent]:
        """Return the events that set a sub-user's e-mail and names, oldest first."""
