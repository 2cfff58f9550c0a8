"""An account with a million events: told and exported whole in the memory of a page."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.export_lines import Form, lines
from api.history_words import told
from projections.exports import ExportFilter
from projections.history import HistoryFilter
from tests.people import catch_up
from tests.postgres import connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from api.bootstrap import Service
    from tests.people import Company

EVENTS = 1_000_000
MOST_GROWTH = 20.0
"""MB by which the process may grow after the first tenth: pages differ in size, and allocators keep some."""

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


def megabytes() -> float:
    """Return how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES / 1e6


def rows(account_id: UUID, sub_user_id: UUID, version: int, events: int) -> Iterator[tuple[UUID, int, str, bytes]]:
    """Return so many events: every second one in the account's own stream, the others beside it."""
    beginning = datetime.now(UTC)
    for number in range(events):
        at = (beginning + timedelta(milliseconds=number)).isoformat(timespec="microseconds")
        if number % 2:
            own = {"account_id": account_id, "sub_user_id": sub_user_id, "action": "tool.used", "occurred_at": at}
            yield uuid4(), 1, "SubUserActivityRecorded", _json(timestamp=at, **own)
        else:
            version += 1
            own = {"actor_type": "main_account", "actor_id": account_id, "sub_user_id": sub_user_id}
            visible = version % 2 == 0
            yield account_id, version, "SubUserVisibilityChanged", _json(timestamp=at, **own, visible=visible)


def _json(**state: Any) -> bytes:
    return json.dumps(state, separators=(",", ":"), default=str).encode()


def grown(stream: Iterable[object], expected: int) -> float:
    """Read a stream to its end, and return by how many MB this process has grown after the first tenth."""
    before, count = 0.0, 0
    for count, _ in enumerate(stream, 1):  # counted to its end
        if count == expected // 10:
            before = megabytes()
    assert count == expected
    return megabytes() - before


@pytest.fixture
def long(service: Service, company: Company, database_url: str) -> Company:
    """Give a company with a million events, and one sub-user."""
    sub_user_id = company.let_in().sub_user_id
    into = "COPY stored_events (originator_id, originator_version, topic, state) FROM STDIN"
    with connect(database_url) as connection, connection.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows(company.account_id, sub_user_id, 2, EVENTS - 2):
            copy.write_row(row)
    catch_up(service, "sub-users", "audit-log")
    return company


def test_a_million_events_take_the_memory_of_a_page(service: Service, long: Company) -> None:
    """Told as a history, with every change; then exported. The state, too, is as of the last of them."""
    replay = service.history.replay(long.account_id, HistoryFilter(as_of=datetime.now(UTC) + timedelta(days=1)))
    assert grown(map(told, replay), EVENTS) < MOST_GROWTH
    assert replay.state is not None
    assert replay.state.version == EVENTS // 2 + 1

    export = service.exports.begin(ExportFilter(long.account_id), Form.CSV, proven=False)
    assert grown(lines(export, Form.CSV, datetime.now(UTC)), EVENTS + 2) < MOST_GROWTH
