"""One possible history, and a fact beside it, each event exactly as the store holds it.

What stands here is stored somewhere for ever. Never change a line: an event whose class changes must still be read
from the line it has, and a new field gets a line of its own beside the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain import events
from domain.cause import ActorType, Sealed
from domain.main_account import MainAccount
from domain.sub_user import Notice

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEventProtocol

ACCOUNT = UUID("3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10")
SUB_USER = UUID("7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978")
SESSION = UUID("c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b")
ACTIVITY = UUID("e0a1b2c3-d4e5-4f60-8a7b-9c0d1e2f3a4b")
TIME = datetime(2026, 3, 2, 9, 30, 0, 125000, tzinfo=UTC)

OWNER = {"actor_type": ActorType.MAIN_ACCOUNT, "actor_id": str(ACCOUNT)}
THEMSELVES = {"actor_type": ActorType.SUB_USER, "actor_id": str(SUB_USER)}
MAILER = {"actor_type": ActorType.SYSTEM, "actor_id": "mailer"}
NOBODY_KNOWN = {"actor_type": ActorType.ANONYMOUS, "actor_id": None}
NO_MORE_ORIGIN = {"request_id": None, "ip": None, "user_agent": None, "reason": None}

OWNED = '"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10"'
SELF_DONE = '"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"sub_user","actor_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"'
MAILED = '"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"mailer"'
ATTEMPTED = '"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous"'
OF_THEM = '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"'


@dataclass(frozen=True)
class Pinned:
    """An event, the name it is stored under, and its stored payload."""

    event: DomainEventProtocol[UUID]
    topic: str
    payload: str


HISTORY: list[Pinned] = []


def _next(event_class: Any, topic: str, payload: str, **fields: Any) -> None:
    place = {"originator_id": ACCOUNT, "originator_version": len(HISTORY) + 1, "timestamp": TIME}
    HISTORY.append(Pinned(event_class(**{**place, **NO_MORE_ORIGIN, **fields}), topic, payload))
