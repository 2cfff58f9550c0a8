"""Record of accesses to the audit log and the history. Each access is an event in its own stream."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

from application.errors import TooBusy, VersionConflict
from application.request_deadlines import within_deadline
from domain.events import AuditLogExported, AuditLogRead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from application.command_context import CommandContext
    from application.ports.clock import Clock
    from application.ports.vault import Vault
    from application.repository import MainAccounts
    from domain.event_metadata import EventMetadata, ReadTarget
    from domain.events import AuditEvent

ACCESS_WINDOW_SECONDS = 300
"""Reads by one reader with the same filters are recorded once in each window, so that neither the pages of a list nor a
page that refreshes itself fill the log."""

SLOT_WAIT_SECONDS = 0.25
"""Maximum wait for a commit slot. A commit takes a few milliseconds."""

ACCESS_NAMESPACE = UUID("6d1f0a52-5b0c-4d0e-9a55-51ab8a4e3c77")
"""Namespace of the stream ids of reads. Reads with the same filters in one window have the same stream id in every
process, so all but the first are version conflicts."""

OPERATOR = "operator"
"""Actor id of accesses on the command line."""


@dataclass(frozen=True)
class AuditAccess:
    """An access to the audit log or the history, described by its filters. None, or no actions, means no filter."""

    account_id: UUID | None = None
    sub_user_id: UUID | None = None
    actions: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    actor_type: str | None = None
    actor_id: str | None = None


class AuditAccessRecorder:
    """Records reads and exports of the audit log and the history.

    At most `slot_count` reads commit at a time. If commits hang, further reads that commit raise `TooBusy`, so that the
    remaining threads stay free for reads that commit nothing.
    """

    def __init__(self, accounts: MainAccounts, vault: Vault, clock: Clock, slot_count: int) -> None:
        self._accounts = accounts
        self._vault = vault
        self._clock = clock
        self._slots = threading.BoundedSemaphore(slot_count)

    def record_access(
        self, what: ReadTarget, access: AuditAccess, context: CommandContext, as_of: datetime | None = None
    ) -> None:
        """Record a read, unless the same reader has read with the same filters in this window."""
        now = self._clock()
        window = int(now.timestamp()) // ACCESS_WINDOW_SECONDS
        stream_id = uuid5(ACCESS_NAMESPACE, repr((what, access, as_of, context.actor_type, context.actor_id, window)))
        event = AuditLogRead(**self._common_fields(stream_id, access, context, now), what=what, as_of=as_of)
        with suppress(VersionConflict):  # this window has an event already
            self._record(event)

    def record_export(self, export_format: str, access: AuditAccess, context: CommandContext, after: int = 0) -> int:
        """Record an export of the events after a position. Return the position of the recorded event."""
        common_fields = self._common_fields(uuid4(), access, context, self._clock())
        return self._record(AuditLogExported(**common_fields, format=export_format, after=after))

    @contextmanager
    def commit_slot(self) -> Iterator[None]:
        """Hold a commit slot, which every read that commits something needs. Raises `TooBusy`."""
        if not self._slots.acquire(timeout=within_deadline(SLOT_WAIT_SECONDS)):
            raise TooBusy
        try:
            yield
        finally:
            self._slots.release()

    def _common_fields(
        self, stream_id: UUID, access: AuditAccess, context: CommandContext, at: datetime
    ) -> dict[str, Any]:
        metadata = self._metadata(access.account_id, context)
        return {
            "originator_id": stream_id,
            "originator_version": 1,
            "timestamp": at,
            "account_id": access.account_id,
            "sub_user_id": access.sub_user_id,
            "wanted_action": ", ".join(access.actions) or None,
            "wanted_actor_type": access.actor_type,
            "wanted_actor_id": access.actor_id,
            "since": access.since,
            "until": access.until,
            **vars(metadata),
        }

    def _metadata(self, account_id: UUID | None, context: CommandContext) -> EventMetadata:
        """Return the metadata for an event. It omits the client's data if there is no key to encrypt it."""
        entry = self._vault.entries([account_id]).get(account_id) if account_id is not None else None
        if entry is None:
            return context.without_personal_data()
        return context.encrypted_with(entry.key)

    def _record(self, event: AuditEvent) -> int:
        with self.commit_slot():
            return self._accounts.save(event)[-1].notification.id
