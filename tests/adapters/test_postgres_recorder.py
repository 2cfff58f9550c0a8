"""Postgres recorder: events and transactional writes are committed atomically."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, ProgrammingError, StoredEvent

from adapters.postgres.event_store.recorder import Recorder
from adapters.postgres.signals import CHANNEL
from adapters.postgres.sql_files import statements
from application import transactional_writes
from application.errors import IdempotentResponseExists, VersionConflict
from application.transactional_writes import (
    AddAccountToDirectory,
    ClosePersonSessions,
    StoreDataKey,
    StoreIdempotentResponse,
    TransactionalWrite,
)
from domain import events
from domain.refusals import AccountEmailTaken
from tests.postgres import connect, fetch

if TYPE_CHECKING:
    from datetime import datetime

    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock


@pytest.fixture
def recorder(service: Service) -> Recorder:
    """Return the recorder of a service."""
    recorder = service.main_accounts.recorder
    assert isinstance(recorder, Recorder)
    return recorder


def event(stream: UUID | None = None, version: int = 1) -> StoredEvent:
    return StoredEvent(stream or uuid4(), version, "Something", b"{}")


def data_key(person_id: UUID | None = None) -> StoreDataKey:
    return StoreDataKey(person_id or uuid4(), uuid4(), b"wrapped", "a key's id")


def idempotent_response(idempotency_key: str, answered_at: datetime) -> StoreIdempotentResponse:
    return StoreIdempotentResponse(
        UUID(int=1), idempotency_key, b"fingerprint", 201, "{}", "sealed", uuid4(), answered_at
    )


def count_rows(url: str) -> tuple[int, int, int]:
    """Return the numbers of events, data keys and listed accounts in the database."""
    (row,) = fetch(
        url,
        "SELECT (SELECT count(*) FROM stored_events), (SELECT count(*) FROM vault), "
        "(SELECT count(*) FROM account_directory)",
    )
    return row[0], row[1], row[2]


def test_events_and_writes_are_committed_together(recorder: Recorder, database_url: str) -> None:
    """One call stores both and returns the positions of the events."""
    stream = uuid4()

    positions = recorder.insert_events([event(stream, 1), event(stream, 2)], writes=[data_key(), data_key()])

    assert count_rows(database_url) == (2, 2, 0)
    assert positions == [row[0] for row in fetch(database_url, "SELECT notification_id FROM stored_events ORDER BY 1")]


def test_positions_increase_from_call_to_call(recorder: Recorder) -> None:
    first = recorder.insert_events([event()])
    second = recorder.insert_events([event(), event()])

    assert first is not None
    assert second is not None
    assert [*first, *second] == sorted({*first, *second})


def test_writes_are_stored_without_events(recorder: Recorder, database_url: str) -> None:
    assert recorder.insert_events([], writes=[data_key()]) == []
    assert count_rows(database_url) == (0, 1, 0)


def test_empty_insert_opens_no_transaction(recorder: Recorder, service: Service) -> None:
    """The call does not even connect to the database."""
    service.database.close()

    assert recorder.insert_events([]) == []


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("after", [0, 2])
def test_failing_write_rolls_back_events_and_writes(
    recorder: Recorder, database_url: str, before: int, after: int
) -> None:
    """The position of the failing write among the others does not matter."""
    duplicate = data_key()
    recorder.insert_events([], writes=[duplicate])

    writes = [*(data_key() for _ in range(before)), duplicate, *(data_key() for _ in range(after))]
    with pytest.raises(IntegrityError, match="vault_pkey"):
        recorder.insert_events([event()], writes=writes)

    assert count_rows(database_url) == (0, 1, 0)


def test_version_conflict_rolls_back_the_writes(recorder: Recorder, database_url: str) -> None:
    stream = uuid4()
    recorder.insert_events([event(stream)])

    with pytest.raises(VersionConflict):
        recorder.insert_events([event(stream, 1), event(stream, 2)], writes=[data_key(), ClosePersonSessions(uuid4())])

    assert count_rows(database_url) == (1, 0, 0)


def test_taken_account_email_rolls_back_the_events(recorder: Recorder, database_url: str) -> None:
    """The unique e-mail of main accounts is checked within the transaction."""
    recorder.insert_events([event()], writes=[AddAccountToDirectory("hash", uuid4())])

    with pytest.raises(AccountEmailTaken):
        recorder.insert_events([event()], writes=[data_key(), AddAccountToDirectory("hash", uuid4())])

    assert count_rows(database_url) == (1, 0, 1)


def test_existing_idempotent_response_rolls_back_the_second_request(
    recorder: Recorder, database_url: str, clock: TravelingClock
) -> None:
    """The later of two requests with one idempotency key fails and stores nothing."""
    recorder.insert_events([event()], writes=[idempotent_response("key", clock())])

    with pytest.raises(IdempotentResponseExists):
        recorder.insert_events([event()], writes=[data_key(), idempotent_response("key", clock())])

    assert count_rows(database_url) == (1, 0, 0)


def test_idempotent_response_stores_the_position_of_its_last_event(
    recorder: Recorder, service: Service, clock: TravelingClock
) -> None:
    """The repeated response therefore carries the same Event-Position header."""
    stream = uuid4()
    positions = recorder.insert_events(
        [event(stream, 1), event(stream, 2)], writes=[idempotent_response("key", clock())]
    )

    response = service.queries.idempotent_responses.find(UUID(int=1), "key")

    assert response is not None
    assert positions is not None
    assert response.position == positions[-1]


def test_connection_is_usable_after_a_failed_insert(recorder: Recorder, database_url: str) -> None:
    """Failed transactions do not affect later commands on the same connection."""
    stream = uuid4()
    recorder.insert_events([event(stream)])
    for _ in range(5):
        with pytest.raises(VersionConflict):
            recorder.insert_events([event(stream)], writes=[data_key()])

    recorder.insert_events([event(stream, 2)], writes=[data_key()])

    assert count_rows(database_url) == (2, 1, 0)


def test_unknown_constraint_violation_is_not_a_conflict(recorder: Recorder, database_url: str) -> None:
    """Only known constraints become domain errors; others indicate a bug and pass through."""
    recorder.insert_events([], writes=[data_key(UUID(int=7))])

    with pytest.raises(IntegrityError, match="vault_pkey"):
        recorder.insert_events([event()], writes=[data_key(UUID(int=7))])


def test_write_without_a_statement_is_an_error(recorder: Recorder, database_url: str) -> None:
    """The whole transaction fails instead of skipping the write."""

    @dataclass(frozen=True)
    class WriteWithoutStatement(TransactionalWrite):
        pass

    with pytest.raises(KeyError):
        recorder.insert_events([event()], writes=[data_key(), WriteWithoutStatement()])

    assert count_rows(database_url) == (0, 0, 0)


def test_each_transactional_write_has_a_statement() -> None:
    assert {
        kind.__name__
        for kind in TransactionalWrite.__subclasses__()
        if kind.__module__.startswith(transactional_writes.__name__)
    } <= set(statements("adapters.postgres.event_store", "transactional_writes"))


def test_no_transactional_write_is_named_like_an_event() -> None:
    """A write is named after what it does to a row, an event after what happened."""
    assert not set(transactional_writes.__all__) & set(vars(events))


def test_followers_are_signaled_after_the_commit(service: Service, database_url: str) -> None:
    """Events are visible when the signal is sent. The transactions themselves send no NOTIFY."""
    event_counts: list[int] = []
    recorder = Recorder(service.database, lambda: event_counts.append(count_rows(database_url)[0]))

    with connect(database_url) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        listener.execute("LISTEN stored_events")
        recorder.insert_events([event()])
        recorder.insert_events([event()], writes=[data_key()])

        assert list(listener.notifies(timeout=0)) == []
    assert event_counts == [1, 2]


def test_failed_insert_sends_no_signal(service: Service) -> None:
    signals: list[None] = []
    recorder = Recorder(service.database, lambda: signals.append(None))
    stream = uuid4()
    recorder.insert_events([event(stream)])

    with pytest.raises(VersionConflict):
        recorder.insert_events([event(stream)])

    assert len(signals) == 1


def test_missing_table_is_not_reported_as_unavailable(recorder: Recorder, database_url: str) -> None:
    """A missing table is reported as such, not as a lost connection."""
    fetch(database_url, "DROP TABLE vault")

    with pytest.raises(ProgrammingError, match="vault"):
        recorder.insert_events([event()], writes=[data_key()])
