"""Requirements of OCSF 1.6.0 for the exported event classes, copied from its schema.

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
KNOWN_ATTRIBUTES = {
    *BASE,
    *("activity_name", "category_name", "class_name", "message", "severity", "status", "status_id", "status_detail"),
    *("actor", "src_endpoint", "http_request", "user", "service", "session", "is_remote", "unmapped"),
}
"""Attributes of these classes that exports use; `unmapped` holds data that OCSF has no attribute for."""


def violations(event: dict[str, Any]) -> list[str]:
    """Return a description of each requirement that an event violates."""
    class_uid = event.get("class_uid", -1)
    if class_uid not in REQUIRED:
        return [f"class {class_uid}"]
    errors = [f"{name} is missing" for name in REQUIRED[class_uid] if name not in event]
    errors += [f"{name} is unknown" for name in event.keys() - KNOWN_ATTRIBUTES]
    errors += [f"{name} is no integer" for name in INTEGERS if name in event and type(event[name]) is not int]
    if errors:
        return errors
    checks = {
        "activity_id": event["activity_id"] in ACTIVITIES[class_uid],
        "category_uid": event["category_uid"] == class_uid // 1000,
        "type_uid": event["type_uid"] == class_uid * 100 + event["activity_id"],
        "severity_id": event["severity_id"] in SEVERITIES,
        "status_id": event.get("status_id", 0) in STATUSES,
        "activity_name": event["activity_id"] != 99 or bool(event.get("activity_name")),
        "metadata": {"product", "version"} <= event["metadata"].keys(),
        "product": _has_any(event["metadata"].get("product", {}), "name", "uid"),
        "service": class_uid != 3002 or _has_any(event, "service", "dst_endpoint"),
        "user": class_uid == 0 or _is_valid_user(event["user"]),
        "actor": "actor" not in event or _has_any(event["actor"], "user", "app_name", "app_uid", "session", "process"),
        "actor.user": _is_valid_user(event.get("actor", {}).get("user", {"uid": "none"})),
        "src_endpoint": "src_endpoint" not in event or _has_any(event["src_endpoint"], "ip", "uid", "name", "hostname"),
    }
    return [f"{name} is wrong" for name, is_valid in checks.items() if not is_valid]


def _is_valid_user(user: dict[str, Any]) -> bool:
    return _has_any(user, "account", "name", "uid") and user.get("type_id", 0) in USER_TYPES


def _has_any(value: dict[str, Any], *names: str) -> bool:
    """Return whether an object has at least one of these attributes (the schema's `at_least_one` constraint)."""
    return any(value.get(name) for name in names)
