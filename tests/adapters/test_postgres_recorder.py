"""Events and what must be true with them are written together or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, ProgrammingError, StoredEvent

from adapters.postgres.recorder import Recorder
from adapters.postgres.signals import CHANNEL
from application.errors import AnswerAlreadyKept, VersionConflict
from application.records import AccountListed, AnswerKept, PersonAdded, Record, SessionsClosed
from domain.refusals import AccountEmailTaken
from projections.statements import statements
from tests.postgres import ask, connect

if TYPE_CHECKING:
    from datetime import datetime

    from api.bootstrap import Service
    from tests.conftest import TravelingClock


@pytest.fixture
def recorder(service: Service) -> Recorder:
    """Give the recorder of a service."""
    found = service.main_accounts.recorder
    assert isinstance(found, Recorder)
    return found


def event(stream: UUID | None = None, version: int = 1) -> StoredEvent:
    return StoredEvent(stream or uuid4(), version, "Something", b"{}")


def person(person_id: UUID | None = None) -> PersonAdded:
    return PersonAdded(person_id or uuid4(), uuid4(), b"wrapped", "a key's id")


def answer(idempotency_key: str, answered_at: datetime) -> AnswerKept:
    return AnswerKept(UUID(int=1), idempotency_key, b"fingerprint", 201, "{}", "sealed", uuid4(), answered_at)


def stored(url: str) -> tuple[int, int, int]:
    """Return how many events, people and listed accounts the database holds."""
    (row,) = ask(
        url,
        "SELECT (SELECT count(*) FROM stored_events), (SELECT count(*) FROM vault), "
        "(SELECT count(*) FROM account_directory)",
    )
    return row[0], row[1], row[2]


def test_events_and_records_are_written_together(recorder: Recorder, database_url: str) -> None:
    """One call writes both, and returns where the events stand."""
    stream = uuid4()

    positions = recorder.insert_events([event(stream, 1), event(stream, 2)], records=[person(), person()])

    assert stored(database_url) == (2, 2, 0)
    assert positions == [row[0] for row in ask(database_url, "SELECT notification_id FROM stored_events ORDER BY 1")]


def test_positions_go_on_from_call_to_call(recorder: Recorder) -> None:
    """A later event stands at a later position."""
    first = recorder.insert_events([event()])
    second = recorder.insert_events([event(), event()])

    assert first is not None
    assert second is not None
    assert [*first, *second] == sorted({*first, *second})


def test_records_may_come_without_events(recorder: Recorder, database_url: str) -> None:
    """What changes nothing in the history can still change what stands beside it."""
    assert recorder.insert_events([], records=[person()]) == []
    assert stored(database_url) == (0, 1, 0)


def test_nothing_to_write_is_no_transaction(recorder: Recorder, service: Service) -> None:
    """With neither events nor records there is nothing to do, not even to connect."""
    service.database.close()

    assert recorder.insert_events([]) == []


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("after", [0, 2])
def test_a_failing_record_takes_everything_with_it(
    recorder: Recorder, database_url: str, before: int, after: int
) -> None:
    """If one record cannot be written, wherever among the others, then no record is and no event."""
    twice = person()
    recorder.insert_events([], records=[twice])

    records = [*(person() for _ in range(before)), twice, *(person() for _ in range(after))]
    with pytest.raises(IntegrityError, match="vault_pkey"):
        recorder.insert_events([event()], records=records)

    assert stored(database_url) == (0, 1, 0)


def test_a_conflicting_event_takes_the_records_with_it(recorder: Recorder, database_url: str) -> None:
    """Who comes second with a version of a stream is told so, and has changed nothing."""
    stream = uuid4()
    recorder.insert_events([event(stream)])

    with pytest.raises(VersionConflict):
        recorder.insert_events([event(stream, 1), event(stream, 2)], records=[person(), SessionsClosed(uuid4())])

    assert stored(database_url) == (1, 0, 0)


def test_a_taken_email_takes_the_events_with_it(recorder: Recorder, database_url: str) -> None:
    """A second account with an e-mail is refused in the transaction itself."""
    recorder.insert_events([event()], records=[AccountListed("hash", uuid4())])

    with pytest.raises(AccountEmailTaken):
        recorder.insert_events([event()], records=[person(), AccountListed("hash", uuid4())])

    assert stored(database_url) == (1, 0, 1)


def test_a_kept_answer_keeps_a_second_request_from_being_carried_out(
    recorder: Recorder, database_url: str, clock: TravelingClock
) -> None:
    """Of two requests with one idempotency key the later is told so, and has changed nothing."""
    recorder.insert_events([event()], records=[answer("key", clock())])

    with pytest.raises(AnswerAlreadyKept):
        recorder.insert_events([event()], records=[person(), answer("key", clock())])

    assert stored(database_url) == (1, 0, 0)


def test_an_answer_knows_the_position_of_its_last_event(
    recorder: Recorder, service: Service, clock: TravelingClock
) -> None:
    """So that the repeated answer carries the same Event-Position as the first."""
    stream = uuid4()
    positions = recorder.insert_events([event(stream, 1), event(stream, 2)], records=[answer("key", clock())])

    kept = service.answers.find(UUID(int=1), "key")

    assert kept is not None
    assert positions is not None
    assert kept.position == positions[-1]


def test_the_connection_is_good_again_after_a_failure(recorder: Recorder, database_url: str) -> None:
    """What one command ran into is nothing to the next one on the same connection."""
    stream = uuid4()
    recorder.insert_events([event(stream)])
    for _ in range(5):
        with pytest.raises(VersionConflict):
            recorder.insert_events([event(stream)], records=[person()])

    recorder.insert_events([event(stream, 2)], records=[person()])

    assert stored(database_url) == (2, 1, 0)


def test_an_unknown_violation_is_not_taken_for_a_conflict(recorder: Recorder, database_url: str) -> None:
    """What no rule names is an error of this service, not an answer for the caller."""
    recorder.insert_events([], records=[person(UUID(int=7))])

    with pytest.raises(IntegrityError, match="vault_pkey"):
        recorder.insert_events([event()], records=[person(UUID(int=7))])


def test_a_record_without_a_statement_is_an_error(recorder: Recorder, database_url: str) -> None:
    """A record that nobody wrote a statement for is never left out."""

    @dataclass(frozen=True)
    class Forgotten(Record):
        pass

    with pytest.raises(KeyError):
        recorder.insert_events([event()], records=[person(), Forgotten()])

    assert stored(database_url) == (0, 0, 0)


def test_every_record_has_a_statement() -> None:
    """Each kind of record is written somehow."""
    assert {kind.__name__ for kind in Record.__subclasses__() if kind.__module__ == Record.__module__} <= set(
        statements("adapters.postgres", "records")
    )


def test_followers_are_signaled_after_the_commit(service: Service, database_url: str) -> None:
    """A signal finds the events already there, and no transaction that writes events carries one."""
    seen: list[int] = []
    recorder = Recorder(service.database, lambda: seen.append(stored(database_url)[0]))

    with connect(database_url) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        listener.execute("LISTEN stored_events")
        recorder.insert_events([event()])
        recorder.insert_events([event()], records=[person()])

        assert list(listener.notifies(timeout=0)) == []
    assert seen == [1, 2]


def test_a_failure_signals_nobody(service: Service) -> None:
    """Where nothing was written there is nothing to look for."""
    signals: list[None] = []
    recorder = Recorder(service.database, lambda: signals.append(None))
    stream = uuid4()
    recorder.insert_events([event(stream)])

    with pytest.raises(VersionConflict):
        recorder.insert_events([event(stream)])

    assert len(signals) == 1


def test_errors_of_the_service_itself_are_not_hidden(recorder: Recorder, database_url: str) -> None:
    """A database that lacks a table says so: that is no lost connection."""
    ask(database_url, "DROP TABLE vault")

    with pytest.raises(ProgrammingError, match="vault"):
        recorder.insert_events([event()], records=[person()])
