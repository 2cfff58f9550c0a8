"""History and export of an account with a million events in constant memory."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.http.resources.exports.lines import ExportFormat, lines
from api.presentation.history_descriptions import history_entry_fields
from application.commands.activity_types import NO_ACTIVITY_TYPES
from projections.history.exports import ExportFilter
from projections.history.queries import HistoryFilter
from tests.builders import catch_up
from tests.postgres import connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from api.bootstrap.service import Service
    from tests.builders import Company

EVENTS = 1_000_000
MAX_GROWTH_MEGABYTES = 20.0
"""After the first tenth of the events: pages differ in size, and allocators keep freed memory."""

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


def resident_megabytes() -> float:
    """Return the resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES / 1e6


def rows(account_id: UUID, sub_user_id: UUID, version: int, count: int) -> Iterator[tuple[UUID, int, str, bytes]]:
    """Yield this many events, alternating between the account's stream and streams of activities."""
    start = datetime.now(UTC)
    for number in range(count):
        at = (start + timedelta(milliseconds=number)).isoformat(timespec="microseconds")
        if number % 2:
            fields = {"account_id": account_id, "sub_user_id": sub_user_id, "action": "tool.used", "occurred_at": at}
            yield uuid4(), 1, "SubUserActivityRecorded", _json(timestamp=at, **fields)
        else:
            version += 1
            fields = {"actor_type": "main_account", "actor_id": account_id, "sub_user_id": sub_user_id}
            visible = version % 2 == 0
            yield account_id, version, "SubUserVisibilityChanged", _json(timestamp=at, **fields, visible=visible)


def _json(**state: Any) -> bytes:
    return json.dumps(state, separators=(",", ":"), default=str).encode()


def memory_growth(stream: Iterable[object], expected: int) -> float:
    """Consume a stream, and return the growth of memory in MB after the first tenth."""
    before, count = 0.0, 0
    for count, _ in enumerate(stream, 1):  # consumes the stream
        if count == expected // 10:
            before = resident_megabytes()
    assert count == expected
    return resident_megabytes() - before


@pytest.fixture
def long_account(service: Service, company: Company, database_url: str) -> Company:
    """Return a company with one sub-user and a million events."""
    sub_user_id = company.create_sub_user().sub_user_id
    statement = "COPY stored_events (originator_id, originator_version, topic, state) FROM STDIN"
    with connect(database_url) as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows(company.account_id, sub_user_id, 2, EVENTS - 2):
            copy.write_row(row)
    catch_up(service, "sub-users", "audit-log")
    return company


def test_history_and_export_of_a_million_events_use_constant_memory(service: Service, long_account: Company) -> None:
    replay = service.queries.history.replay(long_account.account_id, HistoryFilter(as_of=datetime.now(UTC)))
    assert (
        memory_growth(map(partial(history_entry_fields, activity_types=NO_ACTIVITY_TYPES), replay), EVENTS)
        < MAX_GROWTH_MEGABYTES
    )
    assert replay.state is not None
    assert replay.state.version == EVENTS // 2 + 1

    export = service.queries.exports.begin(ExportFilter(long_account.account_id), ExportFormat.CSV, has_proofs=False)
    assert memory_growth(lines(export, ExportFormat.CSV, NO_ACTIVITY_TYPES), EVENTS + 1) < MAX_GROWTH_MEGABYTES
