"""The audit log as a time line: what happened in words, by the days of whoever looks, with all details at hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from api.action_words import OWN_ACTIONS
from api.console import times
from api.console.action_words import fact_label, fact_value, label, sentence, who
from api.console.pages import say, visitor_language, visitor_time_zone
from application.resources import ERASED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from api.console.action_words import People
    from projections.audit_rows import AuditRow


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `facts` are its details: what each is called, and what it says."""

    position: int
    occurred_at: datetime
    time: str
    sentence: str
    facts: Sequence[tuple[str, str]]
    sub_user_id: UUID | None


@dataclass(frozen=True)
class Day:
    """What happened in one day, the newest first."""

    day: date
    written: str
    entries: Sequence[Entry]


def time_line(rows: Sequence[AuditRow], people: People) -> list[Day]:
    """Return these rows by day. What was reported late stands where it happened."""
    zone = visitor_time_zone()
    newest_first = sorted(rows, key=lambda row: (row.occurred_at, row.position), reverse=True)
    return [
        Day(day, times.written_day(day, visitor_language()), [_entry(row, people) for row in of_day])
        for day, of_day in groupby(newest_first, lambda row: row.occurred_at.astimezone(zone).date())
    ]


def _entry(row: AuditRow, people: People) -> Entry:
    return Entry(
        position=row.position,
        occurred_at=row.occurred_at,
        time=times.short_time(row.occurred_at, visitor_language(), visitor_time_zone()),
        sentence=sentence(row, people),
        facts=list(_facts(row)),
        sub_user_id=row.sub_user_id if str(row.sub_user_id) in people.names else None,
    )


def _facts(row: AuditRow) -> Iterator[tuple[str, str]]:
    """Give what is known of a row besides its sentence, as far as there is any."""
    kind = say(f"actions.actor.{row.actor['type']}")
    known: Mapping[str, str | None] = {
        "who": f"{who(row)} ({kind})" if row.actor["name"] else kind,
        "occurred_at": _exact(row.occurred_at),
        "recorded_at": _exact(row.recorded_at) if row.recorded_at != row.occurred_at else None,
        "target": row.target,
        "reason": row.reason,
        "ip": row.ip,
        "user_agent": row.user_agent,
    }
    for name, value in known.items():
        if value is not None:
            yield fact_label(name), fact_value(name, value)
    yield from _details(row)
    yield fact_label("action"), f"{label(row.action)} ({row.action})" if row.action in OWN_ACTIONS else row.action
    yield fact_label("position"), str(row.position)


def _details(row: AuditRow) -> Iterator[tuple[str, str]]:
    """Give what only this kind of thing has: of an activity, whatever the portal put there."""
    if row.action in OWN_ACTIONS:
        yield from ((fact_label(name), fact_value(name, value)) for name, value in row.details.items())
    elif isinstance(row.details, dict):
        yield from ((name, _as_text(value)) for name, value in row.details.items())
    elif row.details is not None:
        yield fact_label("details"), _as_text(row.details)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return say("actions.erased_data") if value == ERASED else value
    return json.dumps(value, ensure_ascii=False)


def _exact(moment: datetime) -> str:
    zone = visitor_time_zone()
    day = times.written_day(moment.astimezone(zone).date(), visitor_language())
    time = times.written_time(moment, visitor_language(), zone)
    return say("actions.exact", day=day, time=time, zone=zone.key)
