"""What OCSF 1.6.0 demands of the events that are exported here, copied from its schema.

From github.com/ocsf/ocsf-schema, tag 1.6.0: events/base_event.json, events/iam/account_change.json,
events/iam/authentication.json, objects/{metadata,product,user,actor,network_endpoint,_entity}.json, dictionary.json.
"""

from __future__ import annotations

from typing import Any

BASE = ("activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid")
REQUIRED = {0: BASE, 3001: (*BASE, "user"), 3002: (*BASE, "user")}
ACTIVITIES = {0: {0, 99}, 3001: {0, *range(1, 13), 99}, 3002: {0, *range(1, 8), 99}}
SEVERITIES = {0, 1, 2, 3, 4, 5, 6, 99}
STATUSES = {0, 1, 2, 99}
USER_TYPES = {0, 1, 2, 3, 4, 99}
INTEGERS = ("activity_id", "category_uid", "class_uid", "severity_id", "status_id", "time", "type_uid")
KNOWN = {
    *BASE,
    *("activity_name", "category_name", "class_name", "message", "severity", "status", "status_id", "status_detail"),
    *("actor", "src_endpoint", "http_request", "user", "service", "session", "is_remote", "unmapped"),
}
"""The attributes that these classes have and that are used here; `unmapped` is for whatever they do not have."""


def faults(event: dict[str, Any]) -> list[str]:
    """Return what is wrong with an event."""
    class_uid = event.get("class_uid", -1)
    if class_uid not in REQUIRED:
        return [f"class {class_uid}"]
    found = [f"{name} is missing" for name in REQUIRED[class_uid] if name not in event]
    found += [f"{name} is unknown" for name in event.keys() - KNOWN]
    found += [f"{name} is no integer" for name in INTEGERS if name in event and type(event[name]) is not int]
    if found:
        return found
    checks = {
        "activity_id": event["activity_id"] in ACTIVITIES[class_uid],
        "category_uid": event["category_uid"] == class_uid // 1000,
        "type_uid": event["type_uid"] == class_uid * 100 + event["activity_id"],
        "severity_id": event["severity_id"] in SEVERITIES,
        "status_id": event.get("status_id", 0) in STATUSES,
        "activity_name": event["activity_id"] != 99 or bool(event.get("activity_name")),
        "metadata": {"product", "version"} <= event["metadata"].keys(),
        "product": _one_of(event["metadata"].get("product", {}), "name", "uid"),
        "service": class_uid != 3002 or _one_of(event, "service", "dst_endpoint"),
        "user": class_uid == 0 or _user_is_right(event["user"]),
        "actor": "actor" not in event or _one_of(event["actor"], "user", "app_name", "app_uid", "session", "process"),
        "actor.user": _user_is_right(event.get("actor", {}).get("user", {"uid": "none"})),
        "src_endpoint": "src_endpoint" not in event or _one_of(event["src_endpoint"], "ip", "uid", "name", "hostname"),
    }
    return [f"{name} is wrong" for name, right in checks.items() if not right]


def _user_is_right(user: dict[str, Any]) -> bool:
    return _one_of(user, "account", "name", "uid") and user.get("type_id", 0) in USER_TYPES


def _one_of(value: dict[str, Any], *names: str) -> bool:
    """Say whether at least one of these is there, as a constraint of the schema has it."""
    return any(value.get(name) for name in names)
