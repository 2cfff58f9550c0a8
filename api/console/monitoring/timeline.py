"""Audit log rows as a timeline: an icon, a sentence and all details for each, grouped by day in the visitor's zone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from api.console.monitoring import page_event_descriptions as descriptions
from api.console.monitoring.page_event_descriptions import detail_label, detail_value, label
from api.console.pages import t, visitor_language, visitor_time_zone
from api.http.authentication import service
from api.presentation import times
from api.presentation.event_descriptions import SERVICE_ACTIONS
from application.commands.resources import ERASED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from api.console.monitoring.page_event_descriptions import SubUserNames
    from api.presentation.event_kinds import EventKind
    from projections.audit_log.rows import AuditRow

MAX_SUMMARY_DETAILS = 3
MAX_SUMMARY_LENGTH = 160
"""Limits of the details of an activity below its sentence. All of them are in the list of details."""

OWNERS_DETAILS = frozenset({"reason", "person"})
"""Details that a sub-user does not see of their own events: notes of the portal for the owner."""


@dataclass(frozen=True)
class Occurrence:
    """One event of an entry. `details` are pairs of label and value."""

    occurred_at: datetime
    time: str
    details: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Entry:
    """An event in the timeline, or several in a row with the same sentence, newest first.

    `sub_user_id` is the sub-user to link to: None if the event is about no sub-user or about a deleted one.
    """

    kind: EventKind
    sentence: str
    summary: str | None
    occurrences: Sequence[Occurrence]
    sub_user_id: UUID | None


@dataclass(frozen=True)
class Day:
    """A day's entries, newest first, with a formatted heading."""

    day: date
    heading: str
    entries: Sequence[Entry]


def timeline(
    rows: Sequence[AuditRow], sub_user_names: SubUserNames, hidden_details: frozenset[str] = frozenset()
) -> list[Day]:
    """Group rows, which are in order of occurrence, by day. `sub_user_names` has the sub-users to link to."""
    zone = visitor_time_zone()
    return [
        Day(day, _heading(day), list(_entries(list(day_rows), sub_user_names, hidden_details)))
        for day, day_rows in groupby(rows, lambda row: times.to_zone(row.occurred_at, zone).date())
    ]


def _heading(day: date) -> str:
    """Return the date in full, after "Today" or "Yesterday"."""
    text = times.format_full_date(day, visitor_language())
    days_ago = (service().clock().astimezone(visitor_time_zone()).date() - day).days
    return t(f"monitoring.day.{days_ago}", date=text) if days_ago in {0, 1} else text[0].upper() + text[1:]


def _entries(rows: Sequence[AuditRow], names: SubUserNames, hidden_details: frozenset[str]) -> Iterator[Entry]:
    """Yield one entry for each run of rows with the same sentence."""

    def sentence_of(row: AuditRow) -> tuple[str, UUID | None, str]:
        return row.action, row.sub_user_id, descriptions.describe(row, names)

    for (_, sub_user_id, sentence), group in groupby(rows, sentence_of):
        run = list(group)
        yield Entry(
            kind=descriptions.kind(run[0].action),
            sentence=sentence if len(run) == 1 else descriptions.describe_repeated(run[0], names, len(run)),
            summary=_summary(run[0]) if len(run) == 1 else _summary_of_run(run),
            occurrences=[_occurrence(row, hidden_details) for row in run],
            sub_user_id=sub_user_id if str(sub_user_id) in names.name_by_id else None,
        )


def _occurrence(row: AuditRow, hidden_details: frozenset[str]) -> Occurrence:
    return Occurrence(
        row.occurred_at,
        times.format_time_of_day(row.occurred_at, visitor_language(), visitor_time_zone()),
        list(_details(row, hidden_details)),
    )


def _summary(row: AuditRow) -> str | None:
    """Return the details of an activity, or the browser and the place that an event came from."""
    if row.action not in SERVICE_ACTIONS and isinstance(row.details, dict) and row.details:
        pairs = list(descriptions.action_details(row))[:MAX_SUMMARY_DETAILS]
        text = " · ".join(f"{name}: {value}" for name, value in pairs)
        return text if len(text) <= MAX_SUMMARY_LENGTH else f"{text[:MAX_SUMMARY_LENGTH]}…"
    if row.ip is None or row.ip == ERASED:
        return None
    clients = service().clients
    client = clients.describe(row.ip, None if row.user_agent == ERASED else row.user_agent)
    device = [part for part in (client.browser, client.device) if part]
    name = t("monitoring.device", browser=device[0], device=device[1]) if len(device) == 2 else "".join(device)
    place = clients.place_name(client, visitor_language())
    return " · ".join(part for part in (name, f"{place} ({row.ip})" if place else row.ip) if part)


def _summary_of_run(run: Sequence[AuditRow]) -> str:
    """Return over which time the events of a run happened, and whether from the same address."""
    duration = times.format_duration(run[0].occurred_at - run[-1].occurred_at, visitor_language())
    within = t("monitoring.within", duration=duration)
    has_one_address = run[0].ip not in {None, ERASED} and len({row.ip for row in run}) == 1
    return t("monitoring.same_address", within=within) if has_one_address else within


def _details(row: AuditRow, hidden: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield label and value of each detail that the row has."""
    actor_type = t(f"actions.actor.{row.actor['type']}")
    common_details: Mapping[str, str | None] = {
        "who": f"{descriptions.actor(row)} ({actor_type})" if row.actor["name"] else actor_type,
        "person": row.actor["person"],
        "occurred_at": _exact(row.occurred_at),
        "recorded_at": _exact(row.recorded_at) if row.recorded_at != row.occurred_at else None,
        "target": row.target,
        "reason": row.reason,
        "ip": row.ip,
        "user_agent": row.user_agent,
    }
    for name, value in common_details.items():
        if value is not None and name not in hidden:
            yield detail_label(name), detail_value(name, value)
    yield from descriptions.action_details(row)
    name = label(row.action)
    yield detail_label("action"), f"{name} ({row.action})" if name != row.action else row.action
    yield detail_label("position"), str(row.position)


def _exact(moment: datetime) -> str:
    zone = visitor_time_zone()
    local = times.to_zone(moment, zone)
    day = times.format_full_date(local.date(), visitor_language())
    time = times.format_time_with_seconds(moment, visitor_language(), zone)
    zone_name = zone.key if local.tzinfo is zone else times.UTC_NAME  # see `times.to_zone`
    return t("actions.exact", day=day, time=time, zone=zone_name)
