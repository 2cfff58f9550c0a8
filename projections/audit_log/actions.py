"""Names of events in the audit log. They are public API, as stable as the topics."""

from __future__ import annotations

from domain import events

ACTIONS = {
    event_class.TOPIC: event_class.DESCRIPTOR.name
    for event_class in events.EVENT_CLASSES
    if event_class.DESCRIPTOR.has_own_action
}
"""Action by topic. An activity is not listed: its action is the name that the portal reports."""

RESERVED = (
    *("activity_types.", "sub_user.", "main_account.", "webhook.", "api_key.", "permission_catalogue.", "person."),
    "audit_log.",
)
"""Prefixes that an activity's action must not have, because it would look like an event of this service."""
