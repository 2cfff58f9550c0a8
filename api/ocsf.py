"""What happened, as a SIEM reads it: OCSF 1.6.0 (schema.ocsf.io).

Changes to accounts are Account Change (3001), logins and logouts Authentication (3002). What is neither (usage,
activities, mails, webhooks, plans, looks) is a Base Event (0), whose `activity_name` is the action.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.cause import ActorType

if TYPE_CHECKING:
    from datetime import datetime

    from projections.exports import Exported

SCHEMA_VERSION = "1.6.0"
PRODUCT = {"name": "subusers", "vendor_name": "subusers"}
OTHER = 99
BASE_EVENT, ACCOUNT_CHANGE, AUTHENTICATION = 0, 3001, 3002
CLASSES = {BASE_EVENT: "Base Event", ACCOUNT_CHANGE: "Account Change", AUTHENTICATION: "Authentication"}
CATEGORIES = {0: "Uncategorized", 3: "Identity & Access Management"}
SEVERITIES = {1: "Informational", 2: "Low", 3: "Medium"}
STATUSES = {1: "Success", 2: "Failure"}
USER_TYPES = {1: "User", 2: "Admin", OTHER: "Other"}


@dataclass(frozen=True)
class Kind:
    """What an action is there: a class, an activity of it, how severe it is, and whether it succeeded."""

    class_uid: int
    activity_id: int
    activity: str
    severity: int = 1
    status: int = 1


def _change(activity_id: int, activity: str, severity: int = 1) -> Kind:
    return Kind(ACCOUNT_CHANGE, activity_id, activity, severity)


LOGON = Kind(AUTHENTICATION, 1, "Logon")
REFUSED = Kind(AUTHENTICATION, 1, "Logon", severity=2, status=2)
LOGOFF = Kind(AUTHENTICATION, 2, "Logoff")
CREATE, DISABLE = _change(1, "Create"), _change(5, "Disable")
PASSWORD_CHANGE = _change(3, "Password Change")

KINDS = {
    "main_account.registered": CREATE,
    "main_account.details_changed": _change(OTHER, "main_account.details_changed"),
    "main_account.closed": DISABLE,
    "main_account.logged_in": LOGON,
    "main_account.login_refused": REFUSED,
    "main_account.logged_out": LOGOFF,
    "sub_user.created": CREATE,
    "sub_user.details_changed": _change(OTHER, "sub_user.details_changed"),
    "sub_user.visibility_changed": _change(OTHER, "sub_user.visibility_changed"),
    "sub_user.access_expiry_set": _change(OTHER, "sub_user.access_expiry_set"),
    "sub_user.activated": _change(2, "Enable"),
    "sub_user.deactivated": DISABLE,
    "sub_user.password_reset": _change(4, "Password Reset"),
    "sub_user.password_changed": PASSWORD_CHANGE,
    "sub_user.logged_in": LOGON,
    "sub_user.login_refused": REFUSED,
    "sub_user.locked_out": _change(9, "Lock", severity=3),
    "sub_user.unlocked": _change(12, "Unlock"),
    "sub_user.logged_out": LOGOFF,
    "sub_user.deleted": _change(6, "Delete"),
    "sub_user.personal_data_erased": _change(OTHER, "sub_user.personal_data_erased"),
}
"""Action to what it is; any other is a Base Event."""


def ocsf_event(one: Exported, message: str, shown: dict[str, Any]) -> dict[str, Any]:
    """Return an event; `shown` is its row as JSON has it."""
    row, stored = one.row, one.positioned.stored
    kind = _kind(shown)
    event = {
        **_classified(kind),
        "time": _milliseconds(row.occurred_at),
        "message": message,
        "metadata": {
            **_metadata(one.positioned.position),
            "uid": f"{stored.originator_id}:{stored.originator_version}",
            "event_code": row.action,
            "logged_time": _milliseconds(row.recorded_at),
            "original_time": shown["occurred_at"],
            "tenant_uid": str(one.account_id) if one.account_id is not None else None,
        },
        "actor": _actor(shown["actor"], one.account_id),
        "src_endpoint": {"ip": row.ip} if row.ip and row.ip[0] != "[" else None,
        "http_request": {"user_agent": row.user_agent} if row.user_agent is not None else None,
        "unmapped": {name: shown[name] for name in ("reason", "target", "details")},
    }
    if kind.class_uid in {ACCOUNT_CHANGE, AUTHENTICATION}:
        event["user"] = _subject(shown, one)
    if kind.class_uid == AUTHENTICATION:
        event |= _of_authentication(shown)
    told: dict[str, Any] = _without_none(event)
    return told


def ocsf_end(events: int, position: int, at: datetime) -> dict[str, Any]:
    """Return what comes last, by which a file is known to be whole."""
    return {
        **_classified(Kind(BASE_EVENT, OTHER, "export.end")),
        "time": _milliseconds(at),
        "message": f"End of the export: {events} events",
        "metadata": _metadata(position),
        "unmapped": {"end": True, "events": events},
    }


def _kind(shown: dict[str, Any]) -> Kind:
    details = shown["details"] if isinstance(shown["details"], dict) else {}
    if shown["action"] == "main_account.details_changed" and details.get("password_changed"):
        return PASSWORD_CHANGE
    return KINDS.get(shown["action"]) or Kind(BASE_EVENT, OTHER, shown["action"])


def _classified(kind: Kind) -> dict[str, Any]:
    category = kind.class_uid // 1000
    return {
        "activity_id": kind.activity_id,
        "activity_name": kind.activity,
        "category_uid": category,
        "category_name": CATEGORIES[category],
        "class_uid": kind.class_uid,
        "class_name": CLASSES[kind.class_uid],
        "type_uid": kind.class_uid * 100 + kind.activity_id,
        "severity_id": kind.severity,
        "severity": SEVERITIES[kind.severity],
        "status_id": kind.status,
        "status": STATUSES[kind.status],
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


def _subject(shown: dict[str, Any], one: Exported) -> dict[str, Any]:
    """Return whom it is about: the sub-user, the account's owner, or with an unknown e-mail nobody who is known."""
    account_id, sub_user_id = str(one.account_id), shown["sub_user_id"]
    if shown["action"].startswith("main_account."):
        return _user(account_id, one.names.get(account_id), 2, account_id)
    if sub_user_id is None:
        return {"type_id": 0, "type": "Unknown", "account": {"uid": account_id}}
    return _user(sub_user_id, one.names.get(sub_user_id), 1, account_id)


def _user(uid: Any, name: str | None, type_id: int, account_id: Any) -> dict[str, Any]:
    return {
        "uid": str(uid),
        "name": name,
        "type_id": type_id,
        "type": USER_TYPES[type_id],
        "account": {"uid": str(account_id)} if account_id is not None else None,
    }


def _of_authentication(shown: dict[str, Any]) -> dict[str, Any]:
    details = shown["details"]
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
        return {name: _without_none(part) for name, part in value.items() if part is not None}
    return value
