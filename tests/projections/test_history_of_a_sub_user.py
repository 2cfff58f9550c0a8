"""History of one sub-user in a long account history, read without the events of others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from projections.history.queries import WINDOW_SIZE, HistoryFilter
from projections.history.reader import EventSource
from tests.builders import catch_up
from tests.postgres import connect, fetch

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap.service import Service
    from tests.builders import Company


def add_logins(url: str, account_id: UUID, sub_user_id: UUID, count: int) -> None:
    """Append this many logins of the sub-user to the account's stream."""
    ((version,),) = fetch(url, "SELECT max(originator_version) FROM stored_events WHERE originator_id = %s", account_id)
    state: dict[str, Any] = {
        "timestamp": "2026-05-01T00:00:00+00:00",
        "actor_type": "sub_user",
        "actor_id": str(sub_user_id),
        "sub_user_id": str(sub_user_id),
        "session_id": str(sub_user_id),
        "with_temporary_password": False,
    }
    statement = "COPY stored_events (originator_id, originator_version, topic, state) FROM STDIN"
    with connect(url) as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for number in range(1, count + 1):
            copy.write_row((account_id, version + number, "SubUserLoggedIn", json.dumps(state).encode()))


@pytest.mark.parametrize("past_retention", [False, True])
def test_history_of_a_sub_user_does_not_read_other_events(
    service: Service, company: Company, database_url: str, monkeypatch: pytest.MonkeyPatch, past_retention: bool
) -> None:
    """The single event is on the first page, also after its row has left the audit log."""
    busy, quiet = company.create_sub_user().sub_user_id, company.create_sub_user().sub_user_id
    add_logins(database_url, company.account_id, busy, WINDOW_SIZE + 500)
    catch_up(service)
    if past_retention:
        move = (
            "WITH moved AS (DELETE FROM audit_view RETURNING account_id, position, sub_user_id) "
            "INSERT INTO audit_older (account_id, position, sub_user_id) SELECT * FROM moved"
        )
        fetch(database_url, move)
    topics_read: list[str] = []
    event_of = EventSource.event

    def record_topic(source: Any, row: Any) -> Any:
        topics_read.append(row["topic"])
        return event_of(source, row)

    monkeypatch.setattr(EventSource, "event", record_topic)
    page = service.queries.history.page(company.account_id, HistoryFilter(sub_user_id=quiet), 50, None)
    assert [(entry.event, entry.version) for entry in page.entries] == [("SubUserCreated", 3)]
    assert page.next_cursor is None
    assert page.state is not None
    assert page.state.version == 3 + WINDOW_SIZE + 500
    assert 0 < len(topics_read) < 20
