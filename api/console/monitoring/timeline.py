"""Audit log rows as a timeline: a sentence and all details for each, grouped by day in the visitor's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from api.console.monitoring.page_event_descriptions import (
    action_details,
    actor,
    describe,
    detail_label,
    detail_value,
    label,
)
from api.console.pages import t, visitor_language, visitor_time_zone
from api.presentation import times
from api.presentation.event_descriptions import SERVICE_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from api.console.monitoring.page_event_descriptions import SubUserNames
    from projections.audit_log.rows import AuditRow


@dataclass(frozen=True)
class Entry:
    """An event in the timeline. `details` are pairs of label and value.

    `sub_user_id` is the sub-user to link to: None if the event is about no sub-user or about a deleted one.
    """

    position: int
    occurred_at: datetime
    time: str
    sentence: str
    details: Sequence[tuple[str, str]]
    sub_user_id: UUID | None


@dataclass(frozen=True)
class Day:
    """A day's entries, newest first, with a formatted heading."""

    day: date
    heading: str
    entries: Sequence[Entry]


def timeline(rows: Sequence[AuditRow], sub_user_names: SubUserNames) -> list[Day]:
    """Group rows by day, newest first. `sub_user_names` has the sub-users to link to.

    The order is that of `occurred_at`, not of positions: the portal may report an event long after it occurred.
    """
    zone = visitor_time_zone()
    newest_first = sorted(rows, key=lambda row: (row.occurred_at, row.position), reverse=True)
    return [
        Day(day, times.format_full_date(day, visitor_language()), [_entry(row, sub_user_names) for row in day_rows])
        for day, day_rows in groupby(newest_first, lambda row: times.to_zone(row.occurred_at, zone).date())
    ]


def _entry(row: AuditRow, sub_user_names: SubUserNames) -> Entry:
    return Entry(
        position=row.position,
        occurred_at=row.occurred_at,
        time=times.format_time_of_day(row.occurred_at, visitor_language(), visitor_time_zone()),
        sentence=describe(row, sub_user_names),
        details=list(_details(row)),
        sub_user_id=row.sub_user_id if str(row.sub_user_id) in sub_user_names.name_by_id else None,
    )


def _details(row: AuditRow) -> Iterator[tuple[str, str]]:
    """Yield label and value of each detail that the row has."""
    actor_type = t(f"actions.actor.{row.actor['type']}")
    common_details: Mapping[str, str | None] = {
        "who": f"{actor(row)} ({actor_type})" if row.actor["name"] else actor_type,
        "person": row.actor["person"],
        "occurred_at": _exact(row.occurred_at),
        "recorded_at": _exact(row.recorded_at) if row.recorded_at != row.occurred_at else None,
        "target": row.target,
        "reason": row.reason,
        "ip": row.ip,
        "user_agent": row.user_agent,
    }
    for name, value in common_details.items():
        if value is not None:
            yield detail_label(name), detail_value(name, value)
    yield from action_details(row)
    yield detail_label("action"), f"{label(row.action)} ({row.action})" if row.action in SERVICE_ACTIONS else row.action
    yield detail_label("position"), str(row.position)


def _exact(moment: datetime) -> str:
    zone = visitor_time_zone()
    local = times.to_zone(moment, zone)
    day = times.format_full_date(local.date(), visitor_language())
    time = times.format_time_with_seconds(moment, visitor_language(), zone)
    zone_name = zone.key if local.tzinfo is zone else times.UTC_NAME  # see `times.to_zone`
    return t("actions.exact", day=day, time=time, zone=zone_name)
