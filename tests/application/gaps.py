"""Gaps: events that another process records after this process last loaded the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.postgres.event_store.group_commit import MAX_BATCH
from application.repository import SNAPSHOT_EVERY
from domain.event_metadata import ActorType, EventMetadata

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from application.transactional_writes import TransactionalWrite
    from domain.main_account import MainAccount
    from tests.builders import Company

PADDING_METADATA = EventMetadata(ActorType.SUPPORT, "padding")

PRELOADED = 200
"""Earlier releases preloaded at most this many events before they decided."""

LIMITS = (SNAPSHOT_EVERY, MAX_BATCH, PRELOADED)
"""Numbers of events at which the code that leads to a decision behaves differently."""

GAPS = sorted({1, *(limit + difference for limit in LIMITS for difference in (-1, 0, 1)), 420})
"""Gap lengths around each limit, and one longer than all of them."""

SOME_GAPS = (SNAPSHOT_EVERY - 1, SNAPSHOT_EVERY, PRELOADED + 1)


def pad(company: Company, count: int, service: Service | None = None) -> None:
    """Record this many events that do not change the visible state of any sub-user."""
    service = service or company.service

    def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
        for _ in range(count):
            account.log_out_owner(None, at=service.clock(), metadata=PADDING_METADATA)
        return None, []

    if count:
        service.main_accounts.change(company.account_id, decide)
