"""That somebody looked at what is recorded is recorded too: facts, each a stream of its own."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

from application.errors import VersionConflict
from domain.cause import Cause
from domain.events import AuditLogExported, AuditLogRead

if TYPE_CHECKING:
    from datetime import datetime

    from application.main_accounts import MainAccounts
    from application.origin import Origin
    from application.ports import Clock, Vault
    from domain.cause import Reading
    from domain.events import AuditEvent

SECONDS_OF_ONE_LOOK = 300
"""The same question of the same reader is recorded once in each five minutes of the clock, so that a page that
refreshes itself does not fill the log that it shows."""

LOOKS = UUID("6d1f0a52-5b0c-4d0e-9a55-51ab8a4e3c77")
"""From it come the ids of readings: the same look has the same id, whichever process records it."""

OPERATOR = "operator"
"""Who acts on the command line: somebody who can reach the database and has the master key."""


@dataclass(frozen=True)
class Asked:
    """What was asked for: of one account or, without one, of all; None leaves nothing out."""

    account_id: UUID | None = None
    sub_user_id: UUID | None = None
    wanted_action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditReads:
    """Records that the audit log, or the history, was read or exported."""

    def __init__(self, accounts: MainAccounts, vault: Vault, clock: Clock) -> None:
        self._accounts = accounts
        self._vault = vault
        self._clock = clock

    def note_read(self, what: Reading, asked: Asked, origin: Origin, as_of: datetime | None = None) -> None:
        """Record that it was read, unless the same reader has just asked the same."""
        now = self._clock()
        look = int(now.timestamp()) // SECONDS_OF_ONE_LOOK
        stream = uuid5(LOOKS, repr((what, asked, as_of, origin.actor_type, origin.actor_id, look)))
        fact = AuditLogRead(**self._common(stream, asked, origin, now), what=what, as_of=as_of)
        with contextlib.suppress(VersionConflict):
            self._record(fact)

    def note_exported(self, form: str, asked: Asked, origin: Origin, after: int = 0) -> int:
        """Record that a copy is taken, in that form and from that position on, and return where that stands."""
        common = self._common(uuid4(), asked, origin, self._clock())
        return self._record(AuditLogExported(**common, format=form, after=after))

    def _common(self, stream: UUID, asked: Asked, origin: Origin, at: datetime) -> dict[str, Any]:
        cause = self._cause(asked.account_id, origin)
        return {
            "originator_id": stream,
            "originator_version": 1,
            "timestamp": at,
            **vars(asked),
            "actor_type": cause.actor_type,
            "actor_id": cause.actor_id,
            "request_id": cause.request_id,
            "ip": cause.ip,
            "user_agent": cause.user_agent,
        }

    def _cause(self, account_id: UUID | None, origin: Origin) -> Cause:
        """Return the origin as events keep it; where there is no key to seal it with, without from where."""
        entry = self._vault.entries([account_id]).get(account_id) if account_id is not None else None
        if entry is None:
            return Cause(origin.actor_type, origin.actor_id, origin.request_id)
        return origin.sealed_with(entry.key)

    def _record(self, fact: AuditEvent) -> int:
        return self._accounts.save(fact)[-1].notification.id
