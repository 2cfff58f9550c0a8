"""A follower keeps up with the history through whatever happens, and never passes anything over."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from adapters.postgres.signals import CHANNEL
from application.errors import StoreUnavailable
from projections import follower as module
from projections import leadership
from projections.follower import EventNotApplied, Follower
from projections.sub_user_queries import SubUserFilter
from tests.conftest import following
from tests.jobs import at_work
from tests.postgres import ask, connect, cut_off
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from api.bootstrap import Service
    from projections.event_log import Positioned
    from tests.people import Company


class Ledger:
    """A view that writes down every event it is given, and stumbles over some."""

    name = "ledger"
    tables: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.stumbles_over: set[str] = set()
        self.batches: list[int] = []
        self.fails_with: Callable[[], Exception] = lambda: ValueError("cannot make sense of it")

    def apply(self, connection: psycopg.Connection[Any], batch: Sequence[Positioned]) -> None:
        """Write down the batch."""
        self.batches.append(len(batch))
        for one in batch:
            connection.execute("INSERT INTO ledger (position) VALUES (%s)", [one.position])
            if one.stored.topic in self.stumbles_over:
                raise self.fails_with()


@pytest.fixture
def ledger(database_url: str) -> Ledger:
    """Give a view with its table."""
    ask(database_url, "CREATE TABLE ledger (position bigint PRIMARY KEY)")
    return Ledger()


@pytest.fixture
def follower(ledger: Ledger, database_url: str) -> Follower:
    """Give what has the ledger follow."""
    return Follower(ledger, lambda: connect(database_url), CHANNEL)


def running(*followers: Follower) -> AbstractContextManager[None]:
    """Have these followers run, each as in a process of its own."""
    return at_work(*(follower.run for follower in followers))


def record(service: Service, *topics: str) -> list[int]:
    """Record events of these topics, each in a stream of its own, and return where they stand."""
    events = [StoredEvent(uuid4(), 1, topic, b"{}") for topic in topics]
    positions = service.main_accounts.recorder.insert_events(events)
    assert positions is not None
    return list(positions)


def written(url: str) -> list[int]:
    return [row[0] for row in ask(url, "SELECT position FROM ledger ORDER BY 1")]


def standing(url: str, name: str = "ledger") -> tuple[Any, ...]:
    """Return where a follower stands, where it failed, and why."""
    rows = ask(url, "SELECT position, failed_position, failure FROM followers WHERE name = %s", name)
    return rows[0] if rows else (0, None, None)


def has_come_to(url: str, position: int) -> bool:
    return bool(standing(url)[0] == position)


def has_written(url: str, times: int) -> bool:
    return len(written(url)) == times


def backends(url: str, name: str = "ledger") -> list[int]:
    """Return the server processes that hold the lock of the one who leads."""
    rows = ask(
        url,
        "SELECT pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE locktype = 'advisory' AND granted AND datname = current_database() "
        "AND classid = 723981 AND objid::bigint = (hashtext(%s)::bigint & 4294967295)",
        name,
    )
    return [row[0] for row in rows]


def test_every_event_is_applied_once_in_order(
    service: Service, follower: Follower, ledger: Ledger, database_url: str
) -> None:
    """From the first there ever was, in batches, and then as they come."""
    before = record(service, *["Something"] * 1200)
    with running(follower):
        eventually(lambda: len(written(database_url)) == 1200)
        later = [record(service, "Something")[0] for _ in range(20)]
        eventually(lambda: written(database_url) == before + later)

    assert max(ledger.batches) == 500
    assert standing(database_url) == (later[-1], None, None)


def test_a_row_that_is_refused_is_not_told(service: Service, company: Company, database_url: str) -> None:
    """A failure goes to the log, and to a table that nobody would erase it from."""
    company.let_in("canary@company.example")
    ask(database_url, "ALTER TABLE sub_user_view ADD CHECK (NOT active AND active)")
    (view,) = (one for one in service.followers if one.view.name == "sub-users")
    with pytest.raises(EventNotApplied, match=r"^CheckViolation: new row .* violates") as failure:
        view.catch_up()
    assert "canary" not in str(failure.value)


def test_it_is_woken_rather_than_waiting_for_its_poll(
    service: Service, follower: Follower, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With polling as good as off, a commit is followed all the same: the signal does it."""
    monkeypatch.setattr(module, "POLL_SECONDS", 8.0)
    with running(follower):
        eventually(lambda: backends(database_url))
        for _ in range(3):
            (position,) = record(service, "Something")
            eventually(partial(has_come_to, database_url, position), within=6)
        service.signals.signal()


def test_it_needs_no_signal(follower: Follower, database_url: str) -> None:
    """What was written without any is found by looking."""
    insert = "INSERT INTO stored_events VALUES (gen_random_uuid(), 1, 'Something', '')"
    with running(follower):
        for n in range(1, 4):
            ask(database_url, insert)
            eventually(partial(has_written, database_url, n))


def test_rows_and_position_are_one(service: Service, follower: Follower, database_url: str) -> None:
    """A batch that fails half-way has moved nothing and written nothing."""
    good = record(service, "Something", "Something")
    record(service, "Stumbling block")
    assert isinstance(follower.view, Ledger)
    follower.view.stumbles_over = {"Stumbling block"}
    ask(database_url, "INSERT INTO followers (name) VALUES ('ledger')")

    with connect(database_url) as connection, pytest.raises(EventNotApplied):
        follower.step(connection)

    assert written(database_url) == []
    assert standing(database_url)[0] == 0
    with connect(database_url) as connection:
        assert follower.step(connection, limit=2) == 2
    assert written(database_url) == good
    assert standing(database_url)[0] == good[-1]


def test_one_that_is_cut_off_in_the_middle_has_done_nothing_twice(
    service: Service, follower: Follower, database_url: str
) -> None:
    """Its connection lost again and again while it works: each event is in the view once, and none is missing."""
    positions: list[int] = []
    with running(follower):
        for _ in range(6):
            positions += record(service, *["Something"] * 300)
            eventually(lambda: [pid for pid in backends(database_url) if kill(database_url, pid)])
        eventually(lambda: standing(database_url)[0] == positions[-1])

    assert written(database_url) == positions


def kill(url: str, pid: int) -> bool:
    return bool(ask(url, "SELECT pg_terminate_backend(%s)", pid)[0][0])


def test_one_of_two_leads_and_the_other_takes_over(
    service: Service, follower: Follower, ledger: Ledger, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes follow the same view: one at a time, and each event is applied once."""
    monkeypatch.setattr(leadership, "LEADER_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(leadership, "FIRST_PAUSE_SECONDS", 10.0)
    other_ledger = Ledger()
    other = Follower(other_ledger, lambda: connect(database_url), CHANNEL)
    with running(follower, other):
        first = record(service, "Something")
        eventually(lambda: standing(database_url)[0] == first[-1])
        (leader,) = backends(database_url)
        assert bool(ledger.batches) != bool(other_ledger.batches)

        kill(database_url, leader)
        eventually(lambda: backends(database_url) not in ([], [leader]))
        second = record(service, "Something")
        eventually(lambda: standing(database_url)[0] == second[-1])

    assert written(database_url) == first + second
    assert ledger.batches
    assert other_ledger.batches


def test_an_event_that_cannot_be_applied_stops_it_for_all_to_see(
    service: Service, follower: Follower, ledger: Ledger, database_url: str
) -> None:
    """What comes before is applied, the failure names the event, nothing is passed over; mended, it goes on."""
    ledger.stumbles_over = {"Stumbling block"}
    before = record(service, *["Something"] * 5)
    (block,) = record(service, "Stumbling block")
    after = record(service, *["Something"] * 5)
    with running(follower):
        eventually(lambda: standing(database_url) == (before[-1], block, "ValueError: cannot make sense of it"))
        assert written(database_url) == before
        shown = {one.name: one for one in service.progress.followers()}["ledger"]
        assert (shown.failed_position, shown.behind) == (block, after[-1] - before[-1])
        assert shown.failed_at is not None

        ledger.stumbles_over = set()

        eventually(lambda: standing(database_url) == (after[-1], None, None))
    assert written(database_url) == [*before, block, *after]


def test_it_goes_on_in_large_batches_after_a_failure(
    service: Service, follower: Follower, ledger: Ledger, database_url: str
) -> None:
    """What has piled up meanwhile is not taken one by one for ever."""
    ledger.stumbles_over = {"Stumbling block"}
    record(service, "Stumbling block")
    with running(follower):
        eventually(lambda: standing(database_url)[1])
        positions = record(service, *["Something"] * 3000)
        ledger.stumbles_over = set()
        ledger.batches.clear()
        eventually(lambda: standing(database_url)[0] == positions[-1])

    assert max(ledger.batches) > 100
    assert len(written(database_url)) == 3001


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
def test_every_failure_can_be_seen(
    service: Service,
    follower: Follower,
    ledger: Ledger,
    database_url: str,
    failure: Callable[[], Exception],
) -> None:
    """Whatever the event made go wrong, and however it reads."""
    ledger.fails_with = failure
    ledger.stumbles_over = {"Stumbling block"}
    (block,) = record(service, "Stumbling block")
    with running(follower):
        eventually(lambda: standing(database_url)[1] == block, within=10)

    assert standing(database_url)[2].startswith(type(failure()).__name__)


def test_a_stopped_follower_stops_no_other(service: Service, company: Company, database_url: str) -> None:
    """The list is kept up while the audit log is not."""
    record(service, "SomethingThatNobodyKnows")
    ask(database_url, "UPDATE stored_events SET topic = 'SubUserActivityRecorded' WHERE topic LIKE 'Something%'")
    with following(service):
        eventually(lambda: standing(database_url, "audit-log")[1])
        company.let_in()

        assert len(service.sub_user_queries.list(company.account_id, SubUserFilter(), 10, None).items) == 1
        assert standing(database_url, "mail-queue")[1] is None


def test_it_comes_back_from_losing_its_connection(service: Service, follower: Follower, database_url: str) -> None:
    """By itself, and soon."""
    with running(follower):
        first = record(service, "Something")
        eventually(lambda: standing(database_url)[0] == first[-1])
        cut_off(database_url)
        eventually(lambda: backends(database_url))
        second = service_after_a_cut(service)
        eventually(lambda: standing(database_url)[0] == second)


def service_after_a_cut(service: Service) -> int:
    """Record an event with the first connection that the cut left over or that is new."""
    while True:
        try:
            return record(service, "Something")[0]
        except StoreUnavailable:
            continue


def test_it_survives_a_server_that_is_away_for_a_while(service: Service, ledger: Ledger, database_url: str) -> None:
    """However often connecting fails."""
    failures = iter(range(4))

    def connect_at_last() -> psycopg.Connection[Any]:
        if next(failures, None) is not None:
            raise psycopg.OperationalError("connection refused")
        return connect(database_url)

    positions = record(service, "Something")
    with running(Follower(ledger, connect_at_last, CHANNEL)):
        eventually(lambda: standing(database_url)[0] == positions[-1])


def test_stopping_is_prompt(follower: Follower, database_url: str) -> None:
    """Whether it leads or waits to, and it leaves the lock to others."""
    second = Follower(Ledger(), lambda: connect(database_url), CHANNEL)
    with running(follower, second):
        eventually(lambda: backends(database_url))

    eventually(lambda: not backends(database_url), within=3)
