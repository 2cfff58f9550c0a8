"""How anything that happened is shown: one row an event, whatever stream it stands in."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from application.resources import ERASED
from domain import events
from domain.cause import ActorType
from projections.audit_actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from application.ports import VaultEntry

Recorded: TypeAlias = events.Event | events.ReportedEvent | events.WebhookEvent | events.AuditEvent
"""Whatever stands in the history."""

NOT_DETAILS = frozenset(
    {"originator_id", "originator_version", "originator_topic", "timestamp", "sub_user_id", "account_id", "email_hash"}
    | {"actor_type", "actor_id", "request_id", "ip", "user_agent", "reason", "action", "target", "occurred_at"}
)
"""Fields that have a place of their own in a row, or that mean nothing outside."""


@dataclass(frozen=True)
class Place:
    """What an event is filed under in its account's audit log; one without an account is of all, and in none."""

    account_id: UUID | None
    action: str
    sub_user_id: UUID | None
    occurred_at: datetime


@dataclass(frozen=True)
class AuditRow:
    """One thing that happened. `details` holds what only this kind of event has."""

    position: int
    occurred_at: datetime
    recorded_at: datetime
    action: str
    actor: dict[str, str | None]
    sub_user_id: UUID | None
    target: str | None
    ip: str | None
    user_agent: str | None
    reason: str | None
    details: Any


def place_of(event: Recorded) -> Place:
    """Return what an event is filed under."""
    match event:
        case events.SubUserActivityRecorded():
            return Place(event.account_id, event.action, event.sub_user_id, event.occurred_at)
        case events.UsageRecorded():
            return Place(event.account_id, ACTIONS[event.TOPIC], event.sub_user_id, event.occurred_at)
        case events.Event() | events.WebhookEvent() | events.AuditEvent():
            return Place(event.account_id, ACTIONS[_topic(event)], event.subject_id, event.timestamp)
        case _:
            raise TypeError(type(event).__name__)


def audit_row(
    position: int, event: Recorded, place: Place, entries: Mapping[UUID, VaultEntry], names: Mapping[str, str]
) -> AuditRow:
    """Return what is shown of an event, opened with whatever keys there still are; `names` are those of actors."""
    opened = {name: opened_field(event, name, entries) for name in sealed_fields(type(event))}
    is_activity = isinstance(event, events.SubUserActivityRecorded)
    details = (
        _details_of_activity(opened["details"])
        if is_activity
        else {name: opened.get(name, value) for name, value in vars(event).items() if _is_detail(name, value)}
    )
    return AuditRow(
        position=position,
        occurred_at=place.occurred_at,
        recorded_at=event.timestamp,
        action=place.action,
        actor=_actor(event, names),
        sub_user_id=place.sub_user_id,
        target=opened.get("target"),
        ip=opened.get("ip"),
        user_agent=opened.get("user_agent"),
        reason=opened.get("reason"),
        details=details,
    )


def people_of(place: Place) -> set[UUID]:
    """Return those whose keys it takes to show an event."""
    return {one for one in (place.account_id, place.sub_user_id) if one is not None}


@cache
def sealed_fields(event_class: type) -> tuple[str, ...]:
    """Return the fields of a kind of event that are encrypted."""
    return tuple(field.name for field in fields(event_class) if "Sealed" in str(field.type))


def opened_field(event: Any, name: str, entries: Mapping[UUID, VaultEntry]) -> str | None:
    """Return what an encrypted field says, as far as its key is still there."""
    sealed = getattr(event, name)
    if sealed is None:
        return None
    entry = entries.get(event.sealed_for(name))
    return ERASED if entry is None else entry.key.open(name, sealed)


def _topic(event: Any) -> str:
    topic: str = event.TOPIC
    return topic


def _is_detail(name: str, value: object) -> bool:
    return name not in NOT_DETAILS and value is not None


def _details_of_activity(text: str | None) -> Any:
    return json.loads(text) if text is not None and text != ERASED else text


def _actor(event: Recorded, names: Mapping[str, str]) -> dict[str, str | None]:
    if isinstance(event, events.ReportedEvent):
        actor_type, actor_id = str(ActorType.SUB_USER), str(event.sub_user_id)
    else:
        actor_type, actor_id = str(event.actor_type), event.actor_id or ""
    name = names.get(actor_id)
    if name is None and actor_type == ActorType.SUB_USER:
        name = ERASED
    return {"type": actor_type, "id": actor_id or None, "name": name}
