"""Audit rows: the readable form of an event of any stream."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from application.commands.resources import ERASED
from application.transparency.export_claims import NON_DETAIL_FIELDS
from domain import events
from domain.event_metadata import ActorType
from projections.audit_log.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from application.ports.vault import VaultEntry


@dataclass(frozen=True)
class AuditIndexEntry:
    """Index entry of an event in its account's audit log. An event without an account is in no account's log."""

    account_id: UUID | None
    action: str
    sub_user_id: UUID | None
    occurred_at: datetime


@dataclass(frozen=True)
class AuditRow:
    """One row of an audit log. `details` holds the fields that only this kind of event has."""

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
    subject_name: str | None = field(default=None, repr=False)
    """Name of the sub-user that the row is about, for descriptions."""
    role_name: str | None = field(default=None, repr=False)
    """Name of the role that the row mentions, for descriptions. Built-in roles have none."""


def index_entry_of(event: events.AnyEvent) -> AuditIndexEntry:
    """Return the index entry of an event."""
    match event:
        case events.SubUserActivityRecorded():
            return AuditIndexEntry(event.account_id, event.action, event.sub_user_id, event.occurred_at)
        case events.UsageRecorded():
            return AuditIndexEntry(event.account_id, ACTIONS[event.TOPIC], event.sub_user_id, event.occurred_at)
        case (
            events.Event()
            | events.WebhookEvent()
            | events.AuditEvent()
            | events.ApiKeyEvent()
            | events.InstallationEvent()
        ):
            return AuditIndexEntry(event.account_id, ACTIONS[event.TOPIC], event.subject_id, event.timestamp)
        case _:
            raise TypeError(type(event).__name__)


def audit_row(
    position: int,
    event: events.AnyEvent,
    index_entry: AuditIndexEntry,
    entries: Mapping[UUID, VaultEntry],
    names: Mapping[str, str],
) -> AuditRow:
    """Return the audit row of an event, decrypted with the data keys that still exist.

    `names` are those of people and roles, by id.
    """
    values = vars(event)
    decrypted = {
        name: decrypt_event_field(event, name, entries)
        for name in encrypted_fields(type(event))
        if values[name] is not None
    }
    is_activity = isinstance(event, events.SubUserActivityRecorded)
    details = (
        _parse_activity_details(decrypted.get("details"))
        if is_activity
        else {name: decrypted.get(name, value) for name, value in values.items() if _is_detail(name, value)}
    )
    return AuditRow(
        position=position,
        occurred_at=index_entry.occurred_at,
        recorded_at=event.timestamp,
        action=index_entry.action,
        actor=_actor(event, names, decrypted.get("actor_person")),
        sub_user_id=index_entry.sub_user_id,
        target=decrypted.get("target"),
        ip=decrypted.get("ip"),
        user_agent=decrypted.get("user_agent"),
        reason=decrypted.get("reason"),
        details=details,
        subject_name=names.get(str(index_entry.sub_user_id)),
        role_name=_role_name(event, names, decrypted),
    )


def person_ids_of(index_entry: AuditIndexEntry) -> set[UUID]:
    """Return the ids of the people whose data keys are needed to show an event."""
    return {person_id for person_id in (index_entry.account_id, index_entry.sub_user_id) if person_id is not None}


@cache
def encrypted_fields(event_class: type) -> tuple[str, ...]:
    """Return the names of the encrypted fields of an event class."""
    return tuple(field.name for field in fields(event_class) if "Ciphertext" in str(field.type))


def decrypt_event_field(event: Any, name: str, entries: Mapping[UUID, VaultEntry]) -> str | None:
    """Return the plaintext of an encrypted field, `ERASED` if its data key was erased, or None if it is not set."""
    ciphertext = getattr(event, name)
    if ciphertext is None:
        return None
    entry = entries.get(event.key_owner_id(name))
    return ERASED if entry is None else entry.key.decrypt(name, ciphertext)


def _role_name(event: events.AnyEvent, names: Mapping[str, str], decrypted: Mapping[str, str | None]) -> str | None:
    """Return the name of the role that an event mentions: the one that it gave, or else the known one."""
    if isinstance(event, events.RoleCreated):
        return decrypted["name"]
    return names.get(str(getattr(event, "role_id", None)))


def _is_detail(name: str, value: object) -> bool:
    return name not in NON_DETAIL_FIELDS and value is not None


def _parse_activity_details(text: str | None) -> Any:
    return json.loads(text) if text is not None and text != ERASED else text


def _actor(event: events.AnyEvent, names: Mapping[str, str], person: str | None) -> dict[str, str | None]:
    if isinstance(event, events.ReportedEvent):
        actor_type, actor_id = str(ActorType.SUB_USER), str(event.sub_user_id)
    else:
        actor_type, actor_id = str(event.actor_type), event.actor_id or ""
    name = names.get(actor_id)
    if name is None and actor_type == ActorType.SUB_USER:
        name = ERASED
    return {
        "type": actor_type,
        "id": actor_id or None,
        "name": name,
        "api_key_id": getattr(event, "actor_api_key_id", None),  # events of API keys have none
        "person": person,
    }
