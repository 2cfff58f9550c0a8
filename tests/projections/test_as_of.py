"""Who had access when: the history's answers are those of a model that is too simple to be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import bootstrap
from domain import events
from domain.cause import Sealed
from domain.main_account import MainAccount
from domain.refusals import Refusal
from projections.history import CLOCKS_DIFFER, HistoryFilter
from tests.domain.given_when_then import BY_OWNER, NOW
from tests.domain.histories import MINUTE, PEOPLE, Command, histories

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

    from api.bootstrap import Service

minutes = st.integers(0, 60)
SKEW = CLOCKS_DIFFER - timedelta(hours=2)
"""How wrong a clock may be here: less than what is reckoned with, by more than a history is long."""


@dataclass(frozen=True)
class Fact:
    """An activity, recorded beside the account's own stream by a process whose clock may be wrong."""

    minute: int
    wrong_by: timedelta


@dataclass
class Model:
    """An account as it was, by the book: one plain record a person, changed by one line an event."""

    people: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    closed: bool = False
    limit: int = 0
    told: list[str] = field(default_factory=list)

    def take(self, event: Any) -> None:  # noqa: C901  # one line an event
        topic = type(event).TOPIC
        self.told.append(topic)
        one = self.people.get(getattr(event, "sub_user_id", None) or UUID(int=0), {})
        match topic:
            case "MainAccountRegistered" | "SubUserLimitRaised":
                self.limit = event.sub_user_limit
            case "MainAccountClosed":
                self.closed = True
            case "SubUserCreated":
                told = {"visible": event.visible, "ends": event.access_expires_at, "created_at": event.timestamp}
                self.people[event.sub_user_id] = {"on": False, "locked": False, "last": None, "change": True, **told}
            case "SubUserDeleted":
                del self.people[event.sub_user_id]
            case "SubUserVisibilityChanged":
                one["visible"] = event.visible
            case "SubUserAccessExpirySet":
                one["ends"] = event.access_expires_at
            case "SubUserActivated":
                one |= {"on": True, "change": True}
            case "SubUserDeactivated":
                one["on"] = False
            case "SubUserLockedOut" | "SubUserUnlocked":
                one["locked"] = topic == "SubUserLockedOut"
            case "SubUserPasswordReset" | "SubUserPasswordChanged":
                one["change"] = topic == "SubUserPasswordReset"
            case "SubUserLoggedIn":
                one["last"] = event.timestamp

    def with_access(self, at: datetime) -> set[UUID]:
        return {
            person
            for person, one in self.people.items()
            if one["on"] and not one["locked"] and not self.closed and (one["ends"] is None or at < one["ends"])
        }


@dataclass(frozen=True)
class Store:
    """A service's store, and its views, which follow when they are told to."""

    service: Service
    connection: Connection[Any]

    def write(self, recorded: Sequence[Any]) -> None:
        rows = [self.service.main_accounts.mapper.to_stored_event(event) for event in recorded]
        columns = [(row.originator_id, row.originator_version, row.topic, row.state) for row in rows]
        into = "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, %s, %s, %s)"
        with self.connection.cursor() as cursor:
            cursor.executemany(into, columns)
        for follower in self.service.followers:
            if follower.view.name in {"sub-users", "audit-log"}:
                while follower.step(self.connection):
                    pass


@pytest.fixture
def store(service: Service) -> Iterator[Store]:
    with bootstrap.connect(service.settings.database_url or "", "test") as connection:
        connection.execute("INSERT INTO followers (name) VALUES ('sub-users'), ('audit-log') ON CONFLICT DO NOTHING")
        yield Store(service, connection)


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[tuple[Command, int]], list[tuple[int, Fact]]]:
    """Commands, each with the minute that the clock showed of whoever took it; and facts between them."""
    asked = draw(histories())
    clocks = draw(st.lists(minutes, min_size=len(asked), max_size=len(asked)))
    skews = st.sampled_from([timedelta(), MINUTE, -MINUTE, SKEW, -SKEW])
    facts = st.tuples(st.integers(0, len(asked)), st.builds(Fact, minutes, skews))
    return list(zip(asked, clocks, strict=True)), draw(st.lists(facts, max_size=4))


def live(asked: list[tuple[Command, int]], facts: list[tuple[int, Fact]]) -> tuple[UUID, list[Any]]:
    """Return what is recorded of such a life, in the order of positions."""
    everybody = {one: uuid4() for one in PEOPLE}
    account = MainAccount.register(
        uuid4(), email=Sealed("e"), email_hash="h", company_name=Sealed("c"), language="en", at=NOW, cause=BY_OWNER
    )
    recorded: list[Any] = list(account.collect_events())
    for number, (command, minute) in enumerate(asked):
        recorded += [_fact(account.id, everybody[PEOPLE[0]], fact) for place, fact in facts if place == number]
        whom = command.arguments.get("sub_user_id")
        named = {"sub_user_id": everybody[whom]} if whom is not None else {}
        try:
            replace(command, arguments={**command.arguments, **named}).ask(account, minute)
        except Refusal:
            continue
        finally:
            recorded += account.collect_events()
    return account.id, recorded


def _fact(account_id: UUID, sub_user_id: UUID, fact: Fact) -> events.SubUserActivityRecorded:
    told = dict.fromkeys(("target", "details", "request_id", "ip", "user_agent"))
    at = NOW + fact.minute * MINUTE + fact.wrong_by
    return events.SubUserActivityRecorded(
        uuid4(), 1, at, account_id=account_id, sub_user_id=sub_user_id, action="tool.used", occurred_at=NOW, **told
    )


def require_the_model_s_answer(store: Store, account_id: UUID, recorded: list[Any], at: datetime) -> None:
    """Require what the model says of the events recorded by then, whichever way the history is asked."""
    model = Model()
    for event in recorded:
        if event.timestamp <= at:
            model.take(event)
    wanted = HistoryFilter(as_of=at)
    page = store.service.history.page(account_id, wanted, 500, None)
    replay = store.service.history.replay(account_id, wanted)

    assert [entry.event for entry in page.entries] == [entry.event for entry in replay] == model.told
    assert page.state == replay.state
    state = page.state
    if not model.limit:
        assert state is None
        return
    assert state is not None
    assert {one.sub_user_id for one in state.sub_users if one.has_access} == model.with_access(at)
    assert state.with_access == len(model.with_access(at))
    assert (state.status == "closed", state.sub_user_limit) == (model.closed, model.limit)
    shown = {
        one.sub_user_id: {
            "on": one.status == "active",
            "locked": one.locked,
            "last": one.last_login_at,
            "change": one.must_change_password,
            "visible": one.visible,
            "ends": one.access_expires_at,
            "created_at": one.created_at,
        }
        for one in state.sub_users
    }
    assert shown == model.people


def check_as_of(store: Store, examples: int) -> None:
    @settings(max_examples=examples, suppress_health_check=list(HealthCheck), database=None)
    @given(lives(), st.lists(st.integers(-1, 61 * 60), min_size=1, max_size=3))
    def check(life: tuple[list[tuple[Command, int]], list[tuple[int, Fact]]], seconds: list[int]) -> None:
        account_id, recorded = live(*life)
        store.write(recorded)
        for after in seconds:
            require_the_model_s_answer(store, account_id, recorded, NOW + timedelta(seconds=after))

    check()


def test_as_of_answers_are_the_model_s(store: Store) -> None:
    """On random histories, as of random moments, with clocks that are wrong."""
    check_as_of(store, 40)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_as_of_answers_are_the_model_s_on_ten_thousand_histories(store: Store) -> None:
    check_as_of(store, 10_000)
