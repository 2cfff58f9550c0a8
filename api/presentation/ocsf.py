"""Events in OCSF 1.6.0, the Open Cybersecurity Schema Framework, for SIEM systems (https://schema.ocsf.io).

Changes to accounts and sub-users are Account Change (3001), logins and logouts are Authentication (3002). All other
actions are Entity Management (3004): the entity is a webhook, an API key, the target of an activity, a sub-user or an
account. API Activity (6003) does not fit, because it requires an address, which erased and internal events lack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from application.commands.resources import ERASED
from application.display_text import quantity
from domain import events
from domain.event_metadata import ActorType
from domain.events.ocsf import (
    ACCOUNT_CHANGE,
    AUTHENTICATION,
    ENTITY_MANAGEMENT,
    FAILURE,
    INFORMATIONAL,
    LOW,
    MEDIUM,
    OTHER,
    PASSWORD_CHANGE,
    REPORTED,
    SUCCESS,
    UNKNOWN,
    OcsfActivity,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from projections.history.exports import ExportedEvent

SCHEMA_VERSION = "1.6.0"
MAIN_ACCOUNT_DETAILS_CHANGED = events.MainAccountDetailsChanged.DESCRIPTOR.name
BASE_EVENT = 0
"""Class of the end marker, which is no event of the history."""

PRODUCT = {"name": "subusers", "vendor_name": "subusers"}
CLASSES = {
    BASE_EVENT: "Base Event",
    ACCOUNT_CHANGE: "Account Change",
    AUTHENTICATION: "Authentication",
    ENTITY_MANAGEMENT: "Entity Management",
}
CATEGORIES = {0: "Uncategorized", 3: "Identity & Access Management"}
SEVERITIES = {INFORMATIONAL: "Informational", LOW: "Low", MEDIUM: "Medium"}
STATUSES = {UNKNOWN: "Unknown", SUCCESS: "Success", FAILURE: "Failure"}
UNKNOWN_USER, USER, ADMIN = 0, 1, 2
USER_ENTITY, ORGANIZATION_ENTITY = 2, 4
USER_TYPES = {UNKNOWN_USER: "Unknown", USER: "User", ADMIN: "Admin", OTHER: "Other"}

ACTIVITY_BY_ACTION = {
    event_class.DESCRIPTOR.name: event_class.DESCRIPTOR.ocsf
    for event_class in events.EVENT_CLASSES
    if event_class.DESCRIPTOR.has_own_action
}
"""OCSF activity by action. All other actions are named by the portal."""


def ocsf_event(exported: ExportedEvent, message: str, serialized_row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an exported event as an OCSF event.

    `serialized_row` is its row as serialized by the schema of the audit log.
    """
    row, stored_event = exported.row, exported.recorded_event.stored
    activity = _activity(exported)
    event = {
        **_classification(activity, row.action),
        "time": _milliseconds(row.occurred_at),
        "message": message,
        "metadata": {
            **_metadata(exported.recorded_event.position),
            "uid": f"{stored_event.originator_id}:{stored_event.originator_version}",
            "event_code": row.action,
            "logged_time": _milliseconds(row.recorded_at),
            "original_time": serialized_row["occurred_at"],
            "tenant_uid": str(exported.account_id) if exported.account_id is not None else None,
        },
        "actor": _actor(row.actor, exported.account_id),
        "src_endpoint": {"ip": row.ip} if row.ip and row.ip != ERASED else None,
        "http_request": {"user_agent": row.user_agent} if row.user_agent is not None else None,
    }
    if activity.class_uid in {ACCOUNT_CHANGE, AUTHENTICATION}:
        event["user"] = _subject(exported)
    if activity.class_uid == ENTITY_MANAGEMENT:
        event["entity"] = _entity(exported)
    if activity.class_uid == AUTHENTICATION:
        event |= _authentication_fields(row.details)
    # Added last, because a null in the details of an activity is a value.
    unmapped = {name: serialized_row[name] for name in ("reason", "target", "details")}
    return {
        **_without_none(event),
        "unmapped": {name: value for name, value in unmapped.items() if value is not None},
    }


def ocsf_end(event_count: int, position: int, exported_at: datetime) -> dict[str, Any]:
    """Return the end marker of an export as an OCSF event. A file that should have it, but does not, is truncated."""
    return {
        **_classification(OcsfActivity(BASE_EVENT, OTHER, None), "export.end"),
        "time": _milliseconds(exported_at),
        "message": f"End of the export: {quantity(event_count, 'event')}",
        "metadata": _metadata(position),
        "unmapped": {"end": True, "events": event_count},
    }


def _activity(exported: ExportedEvent) -> OcsfActivity:
    row = exported.row
    if _is_reported_activity(exported):
        return REPORTED
    if row.action == MAIN_ACCOUNT_DETAILS_CHANGED and row.details.get("password_changed"):
        return PASSWORD_CHANGE
    return ACTIVITY_BY_ACTION[row.action]


def _is_reported_activity(exported: ExportedEvent) -> bool:
    """Return whether the portal chose the action, the target and the details."""
    return exported.recorded_event.stored.topic == events.SubUserActivityRecorded.TOPIC


def _classification(activity: OcsfActivity, action: str) -> dict[str, Any]:
    category = activity.class_uid // 1000
    return {
        "activity_id": activity.activity_id,
        "activity_name": activity.name or action,
        "category_uid": category,
        "category_name": CATEGORIES[category],
        "class_uid": activity.class_uid,
        "class_name": CLASSES[activity.class_uid],
        "type_uid": activity.class_uid * 100 + activity.activity_id,
        "severity_id": activity.severity,
        "severity": SEVERITIES[activity.severity],
        "status_id": activity.status,
        "status": STATUSES[activity.status],
    }


def _metadata(position: int) -> dict[str, Any]:
    return {"version": SCHEMA_VERSION, "product": PRODUCT, "sequence": position}


def _actor(actor: Mapping[str, str | None], account_id: UUID | None) -> dict[str, Any] | None:
    match actor["type"]:
        case ActorType.ANONYMOUS:
            return None
        case ActorType.SYSTEM:
            return {"app_name": "subusers", "app_uid": actor["id"]}
        case ActorType.SUB_USER:
            return {"user": _user(actor["id"], actor["name"], USER, account_id)}
        case ActorType.MAIN_ACCOUNT:
            return {"user": _user(actor["id"], actor["name"], ADMIN, account_id)}
        case _:
            return {"user": {**_user(actor["id"], actor["name"], OTHER, None), "type": actor["type"]}}


def _subject(exported: ExportedEvent) -> dict[str, Any]:
    """Return the user affected by the event: the owner, a sub-user, or an unknown user if no e-mail matched."""
    account_id, sub_user_id = exported.account_id, exported.row.sub_user_id
    is_about_owner = exported.row.action.startswith("person.") and sub_user_id is None
    if is_about_owner or exported.row.action.startswith("main_account."):
        return _user(account_id, exported.names.get(str(account_id)), ADMIN, account_id)
    if sub_user_id is None:
        return _user(None, None, UNKNOWN_USER, account_id)
    return _user(sub_user_id, exported.names.get(str(sub_user_id)), USER, account_id)


def _entity(exported: ExportedEvent) -> dict[str, Any]:
    """Return the entity that the event is about."""
    row, account_id = exported.row, exported.account_id
    match None if _is_reported_activity(exported) else row.action.partition(".")[0]:
        case "webhook":
            return {"uid": str(row.details["webhook_id"]), "type_id": OTHER, "type": "Webhook"}
        case "api_key":
            api_key_id = str(row.details["api_key_id"])
            name = exported.names.get(api_key_id)
            return {"uid": api_key_id, "name": name, "type_id": OTHER, "type": "API Key"}
        case "audit_log":
            return _account_entity(account_id, exported.names)
    if row.target is not None and row.target != ERASED:
        return {"name": row.target, "type_id": OTHER, "type": "Target"}
    if row.sub_user_id is not None:
        user = _user(row.sub_user_id, exported.names.get(str(row.sub_user_id)), USER, account_id)
        return {"uid": user["uid"], "name": user["name"], "type_id": USER_ENTITY, "type": "User", "user": user}
    return _account_entity(account_id, exported.names)


def _account_entity(account_id: UUID | None, names: Mapping[str, str]) -> dict[str, Any]:
    """Return an account as an entity, or the service itself for an event about all accounts."""
    if account_id is None:
        return {"name": PRODUCT["name"], "type_id": OTHER, "type": "Service"}
    organization = {"uid": str(account_id), "name": names.get(str(account_id))}
    return {**organization, "type_id": ORGANIZATION_ENTITY, "type": "Organization", "org": organization}


def _user(uid: UUID | str | None, name: str | None, type_id: int, account_id: UUID | None) -> dict[str, Any]:
    return {
        "uid": str(uid) if uid is not None else None,
        "name": name,
        "type_id": type_id,
        "type": USER_TYPES[type_id],
        "account": {"uid": str(account_id)} if account_id is not None else None,
    }


def _authentication_fields(details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "service": {"name": "subusers"},
        "is_remote": True,
        "session": {"uid": str(details["session_id"])} if "session_id" in details else None,
        "status_detail": details.get("why"),
    }


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    return value
