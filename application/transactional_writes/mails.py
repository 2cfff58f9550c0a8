"""Writes of the mail queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class FinishMail(TransactionalWrite):
    """Finish a queued mail, so that it is not attempted again. `state` is its outcome."""

    account_id: UUID
    caused_by: int
    state: str
    finished_at: datetime
