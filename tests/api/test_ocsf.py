"""OCSF events: every kind of event is valid by the published schema, with and without personal data."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.postgres.event_store.settled_reads import RecordedEvent
from api.http.resources.audit_log.csv_rows import AUDIT_ROW
from api.presentation.event_descriptions import EventDescriptions
from api.presentation.ocsf import ocsf_event
from domain import events
from projections.audit_log.rows import audit_row, index_entry_of
from projections.history.exports import ExportedEvent
from tests.api.ocsf_schema import violations
from tests.domain.pinned_events import ACCOUNT, API_KEY, HISTORY, STANDALONE_EVENTS, SUB_USER, WEBHOOK, PinnedEvent

PINNED = [*HISTORY, *STANDALONE_EVENTS]
API_KEY_NAMES = {"desk": "the support desk"}
"""Names of API keys, which are not personal data."""

NAMES = {**API_KEY_NAMES, str(ACCOUNT): "Company", str(SUB_USER): "Grace Hopper"}
PERSONAL_DATA = {"ip": "192.0.2.1", "user_agent": "Mozilla/5.0", "reason": "They opened a second office."}


def ocsf_of(pinned_event: PinnedEvent, names: dict[str, str], **personal_data: Any) -> dict[str, Any]:
    """Return the OCSF event as a SIEM parses it. Personal data that is not given is erased."""
    event: Any = pinned_event.event
    index_entry = index_entry_of(event)
    row = replace(audit_row(7, event, index_entry, {}, names), **personal_data)
    exported = ExportedEvent(RecordedEvent(7, pinned_event.stored), index_entry.account_id, row, names)
    message = EventDescriptions().describe(row, names)
    parsed: dict[str, Any] = json.loads(json.dumps(ocsf_event(exported, message, AUDIT_ROW.dump(row)), default=str))
    return parsed


@pytest.mark.parametrize("pinned_event", PINNED, ids=[f"{pinned.version} {pinned.topic}" for pinned in PINNED])
@pytest.mark.parametrize(
    ("names", "personal_data"),
    [(NAMES, {**PERSONAL_DATA, "target": "assistant 42"}), (NAMES, PERSONAL_DATA), (API_KEY_NAMES, {})],
    ids=["complete", "without target", "erased"],
)
def test_every_kind_of_event_is_valid(
    pinned_event: PinnedEvent, names: dict[str, str], personal_data: dict[str, str]
) -> None:
    assert violations(ocsf_of(pinned_event, names, **personal_data)) == []


def test_every_kind_of_event_is_tested() -> None:
    assert {pinned.event_class for pinned in PINNED} == set(events.EVENT_CLASSES)


@pytest.mark.parametrize(
    ("topic", "activity", "entity_type", "uid"),
    [
        ("WebhookDisabled", "Disable", "Webhook", WEBHOOK),
        ("ApiKeyRevoked", "Delete", "API Key", API_KEY),
        ("AuditLogRead", "Read", "Organization", ACCOUNT),
        ("MainAccountPlanSet", "Update", "Organization", ACCOUNT),
        ("UsageRecorded", "sub_user.usage_recorded", "User", SUB_USER),
    ],
)
def test_entity_is_what_the_event_is_about(topic: str, activity: str, entity_type: str, uid: object) -> None:
    ocsf_events = [ocsf_of(pinned, NAMES) for pinned in PINNED if pinned.topic == topic]
    found = {(event["activity_name"], event["entity"]["type"], event["entity"].get("uid")) for event in ocsf_events}
    assert (activity, entity_type, str(uid)) in found


@pytest.mark.parametrize(
    "invalidate",
    [
        lambda event: event.pop("metadata"),
        lambda event: event.pop("user"),
        lambda event: event.update(user={}),
        lambda event: event.update(type_uid=300100),
        lambda event: event.update(category_uid=6),
        lambda event: event.update(unknown_attribute=1),
        lambda event: event.update(time="2026-05-01T00:00:00Z"),
    ],
    ids=range(7),
)
def test_invalid_events_are_detected(invalidate: Any) -> None:
    event = ocsf_of(HISTORY[0], NAMES)
    assert event["class_uid"] == 3001
    invalidate(event)
    assert violations(event)
