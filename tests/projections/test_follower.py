"""Followers: batches, failures, lost connections and leader election."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from structlog.testing import capture_logs

from adapters.postgres.signals import CHANNEL
from api.bootstrap.testing.followers import running_followers
from application.errors import StoreUnavailable
from projections.runtime import follower_loop, leader_lock, projection_follower
from projections.runtime.projection_follower import EventNotApplied, ProjectionFollower
from projections.sub_users.queries import SubUserFilter
from tests.jobs import running_jobs
from tests.postgres import connect, fetch, terminate_connections
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from adapters.postgres.event_store.settled_reads import RecordedEvent
    from api.bootstrap.service import Service
    from tests.builders import Company


class Ledger:
    """Projection that records the position of each event and fails on configured topics."""

    name = "ledger"
    tables: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.failing_topics: set[str] = set()
        self.batches: list[int] = []
        self.make_failure: Callable[[], Exception] = lambda: ValueError("cannot make sense of it")

    def apply(self, connection: psycopg.Connection[Any], batch: Sequence[RecordedEvent]) -> None:
        """Insert the position of each event; fail on the topics in `failing_topics`."""
        self.batches.append(len(batch))
        for event in batch:
            connection.execute("INSERT INTO ledger (position) VALUES (%s)", [event.position])
            if event.stored.topic in self.failing_topics:
                raise self.make_failure()


@pytest.fixture
def ledger(database_url: str) -> Ledger:
    """Return a ledger projection whose table exists."""
    fetch(database_url, "CREATE TABLE ledger (position bigint PRIMARY KEY)")
    return Ledger()


@pytest.fixture
def follower(ledger: Ledger, database_url: str) -> ProjectionFollower:
    """Return a follower of the ledger projection."""
    return ProjectionFollower(ledger, lambda: connect(database_url), CHANNEL)


def running(*followers: ProjectionFollower) -> AbstractContextManager[None]:
    """Run these followers in threads, each with connections of its own."""
    return running_jobs(*(follower.run for follower in followers))


def record(service: Service, *topics: str) -> list[int]:
    """Record one event per topic, each in a new stream, and return their positions."""
    events = [StoredEvent(uuid4(), 1, topic, b"{}") for topic in topics]
    positions = service.main_accounts.recorder.insert_events(events)
    assert positions is not None
    return list(positions)


def applied_positions(url: str) -> list[int]:
    return [row[0] for row in fetch(url, "SELECT position FROM ledger ORDER BY 1")]


def follower_state(url: str, name: str = "ledger") -> tuple[Any, ...]:
    """Return a follower's position, failed position and failure."""
    rows = fetch(url, "SELECT position, failed_position, failure FROM followers WHERE name = %s", name)
    return rows[0] if rows else (0, None, None)


def has_reached(url: str, position: int) -> bool:
    return bool(follower_state(url)[0] == position)


def has_applied(url: str, times: int) -> bool:
    return len(applied_positions(url)) == times


def leader_backends(url: str, name: str = "ledger") -> list[int]:
    """Return the server processes that hold the leader lock."""
    rows = fetch(
        url,
        "SELECT pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE locktype = 'advisory' AND granted AND datname = current_database() "
        "AND classid = 723981 AND objid::bigint = (hashtext(%s)::bigint & 4294967295)",
        name,
    )
    return [row[0] for row in rows]


def test_every_event_is_applied_once_in_order(
    service: Service, follower: ProjectionFollower, ledger: Ledger, database_url: str
) -> None:
    """Existing events are applied in batches, new events as they arrive."""
    before = record(service, *["Something"] * 1200)
    with running(follower):
        eventually(lambda: len(applied_positions(database_url)) == 1200)
        later = [record(service, "Something")[0] for _ in range(20)]
        eventually(lambda: applied_positions(database_url) == before + later)

    assert max(ledger.batches) == 500
    assert follower_state(database_url) == (later[-1], None, None)


def test_failure_text_omits_the_rejected_row(service: Service, company: Company, database_url: str) -> None:
    """PostgreSQL quotes the row in its error detail, and failures are stored in a table that erasure does not clean."""
    company.create_sub_user("canary@company.example")
    fetch(database_url, "ALTER TABLE sub_user_view ADD CHECK (NOT active AND active)")
    (sub_users,) = (follower for follower in service.workers.followers if follower.view.name == "sub-users")
    with pytest.raises(EventNotApplied, match=r"^CheckViolation: new row .* violates") as failure:
        sub_users.catch_up()
    assert "canary" not in str(failure.value)


def test_follower_is_woken_by_the_signal(
    service: Service, follower: ProjectionFollower, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polling is too slow here to explain the progress."""
    monkeypatch.setattr(projection_follower, "POLL_SECONDS", 8.0)
    with running(follower):
        eventually(lambda: leader_backends(database_url))
        for _ in range(3):
            (position,) = record(service, "Something")
            eventually(partial(has_reached, database_url, position), within=6)
        service.signals.signal()


def test_follower_polls_for_events_without_a_signal(follower: ProjectionFollower, database_url: str) -> None:
    insert = "INSERT INTO stored_events VALUES (gen_random_uuid(), 1, 'Something', '')"
    with running(follower):
        for n in range(1, 4):
            fetch(database_url, insert)
            eventually(partial(has_applied, database_url, n))


def test_rows_and_position_are_committed_together(
    service: Service, follower: ProjectionFollower, database_url: str
) -> None:
    """A batch that fails half-way changes neither the view nor the position."""
    positions = record(service, "Something", "Something")
    record(service, "Failing")
    assert isinstance(follower.view, Ledger)
    follower.view.failing_topics = {"Failing"}
    fetch(database_url, "INSERT INTO followers (name) VALUES ('ledger')")

    with connect(database_url) as connection, pytest.raises(EventNotApplied):
        follower.step(connection)

    assert applied_positions(database_url) == []
    assert follower_state(database_url)[0] == 0
    with connect(database_url) as connection:
        assert follower.step(connection, limit=2) == 2
    assert applied_positions(database_url) == positions
    assert follower_state(database_url)[0] == positions[-1]


def test_lost_connections_neither_repeat_nor_skip_events(
    service: Service, follower: ProjectionFollower, database_url: str
) -> None:
    """The connection is terminated repeatedly while batches are applied."""
    positions: list[int] = []
    with running(follower):
        for _ in range(6):
            positions += record(service, *["Something"] * 300)
            eventually(lambda: [pid for pid in leader_backends(database_url) if terminate(database_url, pid)])
        eventually(lambda: follower_state(database_url)[0] == positions[-1])

    assert applied_positions(database_url) == positions


def terminate(url: str, pid: int) -> bool:
    return bool(fetch(url, "SELECT pg_terminate_backend(%s)", pid)[0][0])


def test_standby_takes_over_when_the_leader_is_lost(
    service: Service, follower: ProjectionFollower, ledger: Ledger, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes run the same projection. Only one is active, and each event is applied once."""
    monkeypatch.setattr(leader_lock, "LEADER_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(follower_loop, "INITIAL_BACKOFF_SECONDS", 10.0)
    other_ledger = Ledger()
    other = ProjectionFollower(other_ledger, lambda: connect(database_url), CHANNEL)
    with running(follower, other):
        first = record(service, "Something")
        eventually(lambda: follower_state(database_url)[0] == first[-1])
        (leader,) = leader_backends(database_url)
        assert bool(ledger.batches) != bool(other_ledger.batches)

        terminate(database_url, leader)
        eventually(lambda: leader_backends(database_url) not in ([], [leader]))
        second = record(service, "Something")
        eventually(lambda: follower_state(database_url)[0] == second[-1])

    assert applied_positions(database_url) == first + second
    assert ledger.batches
    assert other_ledger.batches


def test_event_that_cannot_be_applied_stops_the_follower(
    service: Service, follower: ProjectionFollower, ledger: Ledger, database_url: str
) -> None:
    """Earlier events are applied, the failure names the event, and no event is skipped. After a fix it continues."""
    ledger.failing_topics = {"Failing"}
    before = record(service, *["Something"] * 5)
    (failing,) = record(service, "Failing")
    after = record(service, *["Something"] * 5)
    with running(follower):
        eventually(lambda: follower_state(database_url) == (before[-1], failing, "ValueError: cannot make sense of it"))
        assert applied_positions(database_url) == before
        progress = {row.name: row for row in service.queries.progress.followers()}["ledger"]
        assert (progress.failed_position, progress.behind) == (failing, after[-1] - before[-1])
        assert progress.failed_at is not None

        ledger.failing_topics = set()

        eventually(lambda: follower_state(database_url) == (after[-1], None, None))
    assert applied_positions(database_url) == [*before, failing, *after]


def test_batches_grow_again_after_a_failure(
    service: Service, follower: ProjectionFollower, ledger: Ledger, database_url: str
) -> None:
    """The backlog is not applied one event at a time."""
    ledger.failing_topics = {"Failing"}
    record(service, "Failing")
    with running(follower):
        eventually(lambda: follower_state(database_url)[1])
        positions = record(service, *["Something"] * 3000)
        ledger.failing_topics = set()
        ledger.batches.clear()
        eventually(lambda: follower_state(database_url)[0] == positions[-1])

    assert max(ledger.batches) > 100
    assert len(applied_positions(database_url)) == 3001


@pytest.mark.parametrize(
    "failure",
    [
        lambda: ValueError("a NUL \x00 in it"),
        lambda: psycopg.errors.ProgramLimitExceeded("index row size 2800 exceeds maximum 2704"),
        lambda: psycopg.errors.UndefinedTable('relation "gone" does not exist'),
        lambda: ValueError("long " * 10_000),
    ],
    ids=["NUL", "limit", "table", "long"],
)
def test_every_failure_is_stored(
    service: Service,
    follower: ProjectionFollower,
    ledger: Ledger,
    database_url: str,
    failure: Callable[[], Exception],
) -> None:
    """The exception may have any type, and a text of any length and content."""
    ledger.make_failure = failure
    ledger.failing_topics = {"Failing"}
    (failing,) = record(service, "Failing")
    with running(follower):
        eventually(lambda: follower_state(database_url)[1] == failing, within=10)

    assert follower_state(database_url)[2].startswith(type(failure()).__name__)


def test_stopped_follower_does_not_stop_others(service: Service, company: Company, database_url: str) -> None:
    """The sub-user list stays current while the audit log is stopped."""
    record(service, "SomethingUnknown")
    fetch(database_url, "UPDATE stored_events SET topic = 'SubUserActivityRecorded' WHERE topic LIKE 'Something%'")
    with running_followers(service):
        eventually(lambda: follower_state(database_url, "audit-log")[1])
        company.create_sub_user()

        assert len(service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None).items) == 1
        assert follower_state(database_url, "mail-queue")[1] is None


def test_follower_reconnects_after_losing_its_connection(
    service: Service, follower: ProjectionFollower, database_url: str
) -> None:
    with running(follower):
        first = record(service, "Something")
        eventually(lambda: follower_state(database_url)[0] == first[-1])
        terminate_connections(database_url)
        eventually(lambda: leader_backends(database_url))
        second = record_after_reconnecting(service)
        eventually(lambda: follower_state(database_url)[0] == second)


def record_after_reconnecting(service: Service) -> int:
    """Record an event, retrying until the pool returns a live connection."""
    while True:
        try:
            return record(service, "Something")[0]
        except StoreUnavailable:
            continue


def test_follower_retries_until_the_server_accepts_connections(
    service: Service, ledger: Ledger, database_url: str
) -> None:
    failures = iter(range(4))

    def connect_after_failures() -> psycopg.Connection[Any]:
        if next(failures, None) is not None:
            raise psycopg.OperationalError("connection refused")
        return connect(database_url)

    positions = record(service, "Something")
    with running(ProjectionFollower(ledger, connect_after_failures, CHANNEL)):
        eventually(lambda: follower_state(database_url)[0] == positions[-1])


def test_stopping_is_prompt(follower: ProjectionFollower, database_url: str) -> None:
    """Leader and standby both stop, and the leader lock is released."""
    second = ProjectionFollower(Ledger(), lambda: connect(database_url), CHANNEL)
    with running(follower, second):
        eventually(lambda: leader_backends(database_url))

    eventually(lambda: not leader_backends(database_url), within=3)


def test_first_reported_failure_names_the_failing_event(
    service: Service, follower: ProjectionFollower, ledger: Ledger, database_url: str
) -> None:
    """The failure does not name the first event of the batch."""
    ledger.failing_topics = {"Bad"}
    positions = record(service, *["Something"] * 26, "Bad", *["Something"] * 14)
    with capture_logs() as lines, running(follower):
        eventually(lambda: follower_state(database_url)[1] is not None)
        eventually(lambda: [line["event"] for line in lines].count("follower.stopped") > 1)
    assert {line["position"] for line in lines if line["event"] == "follower.stopped"} == {positions[26]}
    assert follower_state(database_url)[0] == positions[25]


def test_follower_beyond_the_end_of_the_store_stops(
    service: Service, follower: ProjectionFollower, database_url: str
) -> None:
    """The store was restored to an earlier state than the view; continuing would skip new events."""
    (end,) = record(service, "Something")
    fetch(database_url, "INSERT INTO followers (name, position) VALUES ('ledger', %s)", end + 5)
    with running(follower):
        eventually(lambda: follower_state(database_url)[1] is not None)
    position, failed_position, failure = follower_state(database_url)
    assert (position, failed_position) == (end + 5, end + 5)
    assert f"the store ends at {end}" in failure
