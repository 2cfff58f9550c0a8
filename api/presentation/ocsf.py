"""Events in OCSF 1.6.0, the Open Cybersecurity Schema Framework, for SIEM systems (https://schema.ocsf.io).

Changes to accounts and sub-users are Account Change (3001), logins and logouts are Authentication (3002). All other
actions are Base Event (0) with the action as `activity_name`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain import events
from domain.event_metadata import ActorType
from domain.events.ocsf import ACCOUNT_CHANGE, AUTHENTICATION, BASE_EVENT, OTHER, PASSWORD_CHANGE, UNCLASSIFIED

if TYPE_CHECKING:
    from datetime import datetime

    from domain.events.ocsf import OcsfActivity
    from projections.history.exports import ExportedEvent

SCHEMA_VERSION = "1.6.0"
PRODUCT = {"name": "subusers", "vendor_name": "subusers"}
CLASSES = {BASE_EVENT: "Base Event", ACCOUNT_CHANGE: "Account Change", AUTHENTICATION: "Authentication"}
CATEGORIES = {0: "Uncategorized", 3: "Identity & Access Management"}
SEVERITIES = {1: "Informational", 2: "Low", 3: "Medium"}
STATUSES = {1: "Success", 2: "Failure"}
USER_TYPES = {1: "User", 2: "Admin", OTHER: "Other"}
DETAILS_CHANGED = events.MainAccountDetailsChanged.DESCRIPTOR.name

ACTIVITIES = {
    event_class.DESCRIPTOR.name: event_class.DESCRIPTOR.ocsf
    for event_class in events.EVENT_CLASSES
    if event_class.DESCRIPTOR.has_own_action
}
"""OCSF activity by action. The portal's activities are unclassified."""


def ocsf_event(exported: ExportedEvent, message: str, json_row: dict[str, Any]) -> dict[str, Any]:
    """Return an exported row as an OCSF event. `json_row` is the row as the JSON export has it."""
    row, stored_event = exported.row, exported.recorded_event.stored
    activity = _activity(json_row)
    event = {
        **_classification(activity, row.action),
        "time": _milliseconds(row.occurred_at),
        "message": message,
        "metadata": {
            **_metadata(exported.recorded_event.position),
            "uid": f"{stored_event.originator_id}:{stored_event.originator_version}",
            "event_code": row.action,
            "logged_time": _milliseconds(row.recorded_at),
            "original_time": json_row["occurred_at"],
            "tenant_uid": str(exported.account_id) if exported.account_id is not None else None,
        },
        "actor": _actor(json_row["actor"], exported.account_id),
        "src_endpoint": {"ip": row.ip} if row.ip and row.ip[0] != "[" else None,
        "http_request": {"user_agent": row.user_agent} if row.user_agent is not None else None,
        "unmapped": {name: json_row[name] for name in ("reason", "target", "details")},
    }
    if activity.class_uid in {ACCOUNT_CHANGE, AUTHENTICATION}:
        event["user"] = _subject(json_row, exported)
    if activity.class_uid == AUTHENTICATION:
        event |= _authentication_fields(json_row)
    ocsf: dict[str, Any] = _without_none(event)
    return ocsf


def ocsf_end(events: int, position: int, exported_at: datetime) -> dict[str, Any]:
    """Return the last event of an export. A file without it is truncated."""
    return {
        **_classification(UNCLASSIFIED, "export.end"),
        "time": _milliseconds(exported_at),
        "message": f"End of the export: {events} events",
        "metadata": _metadata(position),
        "unmapped": {"end": True, "events": events},
    }


def _activity(json_row: dict[str, Any]) -> OcsfActivity:
    details = json_row["details"] if isinstance(json_row["details"], dict) else {}
    if json_row["action"] == DETAILS_CHANGED and details.get("password_changed"):
        return PASSWORD_CHANGE
    return ACTIVITIES.get(json_row["action"], UNCLASSIFIED)


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


def _actor(actor: dict[str, Any], account_id: Any) -> dict[str, Any] | None:
    match actor["type"]:
        case ActorType.ANONYMOUS:
            return None
        case ActorType.SYSTEM:
            return {"app_name": "subusers", "app_uid": actor["id"]}
        case ActorType.SUB_USER:
            return {"user": _user(actor["id"], actor["name"], 1, account_id)}
        case ActorType.MAIN_ACCOUNT:
            return {"user": _user(actor["id"], actor["name"], 2, account_id)}
        case _:
            return {"user": {**_user(actor["id"], actor["name"], OTHER, None), "type": actor["type"]}}


def _subject(json_row: dict[str, Any], exported: ExportedEvent) -> dict[str, Any]:
    """Return the user affected by the event: the owner, a sub-user, or an unknown user if no e-mail matched."""
    account_id, sub_user_id = str(exported.account_id), json_row["sub_user_id"]
    if json_row["action"].startswith("main_account."):
        return _user(account_id, exported.names.get(account_id), 2, account_id)
    if sub_user_id is None:
        return {"type_id": 0, "type": "Unknown", "account": {"uid": account_id}}
    return _user(sub_user_id, exported.names.get(sub_user_id), 1, account_id)


def _user(uid: Any, name: str | None, type_id: int, account_id: Any) -> dict[str, Any]:
    return {
        "uid": str(uid),
        "name": name,
        "type_id": type_id,
        "type": USER_TYPES[type_id],
        "account": {"uid": str(account_id)} if account_id is not None else None,
    }


def _authentication_fields(json_row: dict[str, Any]) -> dict[str, Any]:
    details = json_row["details"]
    return {
        "service": {"name": "subusers"},
        "is_remote": True,
        "session": {"uid": details["session_id"]} if "session_id" in details else None,
        "status_detail": details.get("why"),
    }


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    return value
