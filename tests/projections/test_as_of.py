"""Account history as of a point in time, compared with a simple model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.bootstrap import connections
from domain import events
from domain.event_metadata import Ciphertext
from domain.main_account import MainAccount
from domain.refusals import Refusal
from projections.history.queries import MAX_CLOCK_SKEW, HistoryFilter
from tests.domain.given_when_then import BY_OWNER, NOW
from tests.domain.histories import MINUTE, SUB_USER_IDS, Command, histories

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

    from api.bootstrap.service import Service
    from projections.history.account_state import AccountState

minutes = st.integers(0, 60)
SKEW = MAX_CLOCK_SKEW - timedelta(hours=2)
"""Largest clock error of these tests: the tolerance less two hours, which is more than a history lasts."""


@dataclass(frozen=True)
class Activity:
    """An activity, recorded outside the account's stream by a process whose clock may be wrong."""

    minute: int
    clock_error: timedelta


@dataclass
class Model:
    """Reference model of an account: one dict per sub-user, updated by one case per kind of event."""

    sub_users: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    closed: bool = False
    limit: int = 0
    topics: list[str] = field(default_factory=list)

    def apply(self, event: Any) -> None:  # noqa: C901  # one case per event
        topic = type(event).TOPIC
        self.topics.append(topic)
        sub_user = self.sub_users.get(getattr(event, "sub_user_id", None) or UUID(int=0), {})
        match topic:
            case "MainAccountRegistered" | "SubUserLimitRaised":
                self.limit = event.sub_user_limit
            case "MainAccountClosed":
                self.closed = True
            case "SubUserCreated":
                details = {
                    "visible": event.visible,
                    "access_expires_at": event.access_expires_at,
                    "created_at": event.timestamp,
                }
                self.sub_users[event.sub_user_id] = {
                    "active": False,
                    "locked": False,
                    "last_login_at": None,
                    "must_change_password": True,
                    **details,
                }
            case "SubUserDeleted":
                del self.sub_users[event.sub_user_id]
            case "SubUserVisibilityChanged":
                sub_user["visible"] = event.visible
            case "SubUserAccessExpirySet":
                sub_user["access_expires_at"] = event.access_expires_at
            case "SubUserActivated":
                sub_user |= {"active": True, "must_change_password": True}
            case "SubUserDeactivated":
                sub_user["active"] = False
            case "SubUserLockedOut" | "SubUserUnlocked":
                sub_user["locked"] = topic == "SubUserLockedOut"
            case "SubUserPasswordReset" | "SubUserPasswordChanged":
                sub_user["must_change_password"] = topic == "SubUserPasswordReset"
            case "SubUserLoggedIn":
                sub_user["last_login_at"] = event.timestamp

    def with_access(self, at: datetime) -> set[UUID]:
        return {
            sub_user_id
            for sub_user_id, sub_user in self.sub_users.items()
            if sub_user["active"]
            and not sub_user["locked"]
            and not self.closed
            and (sub_user["access_expires_at"] is None or at < sub_user["access_expires_at"])
        }


@dataclass(frozen=True)
class Store:
    """The service's event store. Its views catch up after each write."""

    service: Service
    connection: Connection[Any]

    def write(self, recorded: Sequence[Any]) -> None:
        stored_events = [self.service.main_accounts.mapper.to_stored_event(event) for event in recorded]
        rows = [
            (stored_event.originator_id, stored_event.originator_version, stored_event.topic, stored_event.state)
            for stored_event in stored_events
        ]
        statement = (
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, %s, %s, %s)"
        )
        with self.connection.cursor() as cursor:
            cursor.executemany(statement, rows)
        for follower in self.service.workers.followers:
            if follower.view.name in {"sub-users", "audit-log"}:
                while follower.step(self.connection):
                    pass


@pytest.fixture
def store(service: Service) -> Iterator[Store]:
    with connections.connect(service.settings.database_url or "", "test") as connection:
        connection.execute("INSERT INTO followers (name) VALUES ('sub-users'), ('audit-log') ON CONFLICT DO NOTHING")
        yield Store(service, connection)


@st.composite
def account_histories(draw: st.DrawFn) -> tuple[list[tuple[Command, int]], list[tuple[int, Activity]]]:
    """Draw commands with the minute on their process's clock, and activities recorded between them."""
    commands = draw(histories())
    clocks = draw(st.lists(minutes, min_size=len(commands), max_size=len(commands)))
    skews = st.sampled_from([timedelta(), MINUTE, -MINUTE, SKEW, -SKEW])
    activities = st.tuples(st.integers(0, len(commands)), st.builds(Activity, minutes, skews))
    return list(zip(commands, clocks, strict=True)), draw(st.lists(activities, max_size=4))


def record_history(
    commands: list[tuple[Command, int]], activities: list[tuple[int, Activity]]
) -> tuple[UUID, list[Any]]:
    """Return the account id and the recorded events in order of position."""
    ids = {sub_user_id: uuid4() for sub_user_id in SUB_USER_IDS}
    account = MainAccount.register(
        uuid4(),
        email=Ciphertext("e"),
        email_hash="h",
        company_name=Ciphertext("c"),
        language="en",
        at=NOW,
        metadata=BY_OWNER,
    )
    recorded: list[Any] = list(account.collect_events())
    for index, (command, minute) in enumerate(commands):
        recorded += [
            _activity_event(account.id, ids[SUB_USER_IDS[0]], activity)
            for position, activity in activities
            if position == index
        ]
        target = command.arguments.get("sub_user_id")
        replaced = {"sub_user_id": ids[target]} if target is not None else {}
        try:
            replace(command, arguments={**command.arguments, **replaced}).run(account, minute)
        except Refusal:
            continue
        finally:
            recorded += account.collect_events()
    return account.id, recorded


def _activity_event(account_id: UUID, sub_user_id: UUID, activity: Activity) -> events.SubUserActivityRecorded:
    absent = dict.fromkeys(
        ("target", "details", "request_id", "ip", "user_agent", "reason", "actor_api_key_id", "actor_person")
    )
    at = NOW + activity.minute * MINUTE + activity.clock_error
    return events.SubUserActivityRecorded(
        uuid4(), 1, at, account_id=account_id, sub_user_id=sub_user_id, action="tool.used", occurred_at=NOW, **absent
    )


def require_state_of_model(store: Store, account_id: UUID, recorded: list[Any], at: datetime) -> None:
    """Require that page and replay both match the model of the events recorded by this time."""
    model = Model()
    for event in recorded:
        if event.timestamp <= at:
            model.apply(event)
    history_filter = HistoryFilter(as_of=at)
    page = store.service.queries.history.page(account_id, history_filter, 500, None)
    replay = store.service.queries.history.replay(account_id, history_filter)

    assert [entry.event for entry in page.entries] == [entry.event for entry in replay] == model.topics
    assert page.state == replay.state
    state = page.state
    if not model.limit:
        assert state is None
        return
    assert state is not None
    assert {sub_user.sub_user_id for sub_user in state.sub_users if sub_user.has_access} == model.with_access(at)
    assert state.with_access == len(model.with_access(at))
    assert (state.status == "closed", state.sub_user_limit) == (model.closed, model.limit)
    actual = {
        sub_user.sub_user_id: {
            "active": sub_user.status == "active",
            "locked": sub_user.locked,
            "last_login_at": sub_user.last_login_at,
            "must_change_password": sub_user.must_change_password,
            "visible": sub_user.visible,
            "access_expires_at": sub_user.access_expires_at,
            "created_at": sub_user.created_at,
        }
        for sub_user in state.sub_users
    }
    assert actual == model.sub_users


def require_sub_user_histories(store: Store, account_id: UUID, recorded: list[Any], at: datetime) -> None:
    """Require that each sub-user's history is its part of the account's, paged or replayed, with the same state."""
    history = store.service.queries.history
    account_page = history.page(account_id, HistoryFilter(as_of=at), 500, None)
    for sub_user_id in {event.sub_user_id for event in recorded if getattr(event, "sub_user_id", None)}:
        history_filter = HistoryFilter(as_of=at, sub_user_id=sub_user_id)
        replay = history.replay(account_id, history_filter)
        expected = [entry for entry in account_page.entries if entry.row.sub_user_id == sub_user_id]
        page = history.page(account_id, history_filter, 3, None)
        entries, state = list(page.entries), page.state
        assert state == state_of_one(account_page.state, sub_user_id)
        while page.next_cursor is not None:
            page = history.page(account_id, history_filter, 3, page.next_cursor)
            entries += page.entries
        assert entries == list(replay) == expected
        assert replay.state == state


def state_of_one(state: AccountState | None, sub_user_id: UUID) -> AccountState | None:
    """Return the state with only this sub-user, in the list and in the count."""
    if state is None:
        return None
    sub_users = [sub_user for sub_user in state.sub_users if sub_user.sub_user_id == sub_user_id]
    return replace(state, sub_users=sub_users, with_access=sum(sub_user.has_access for sub_user in sub_users))


@pytest.mark.parametrize("examples", [40, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_history_as_of_a_time_matches_the_model(store: Store, examples: int) -> None:
    """The histories, times and clock errors are random."""

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck), database=None)
    @given(account_histories(), st.lists(st.integers(-1, 61 * 60), min_size=1, max_size=3))
    def check(history: tuple[list[tuple[Command, int]], list[tuple[int, Activity]]], seconds: list[int]) -> None:
        account_id, recorded = record_history(*history)
        store.write(recorded)
        for offset in seconds:
            require_state_of_model(store, account_id, recorded, NOW + timedelta(seconds=offset))
        require_sub_user_histories(store, account_id, recorded, NOW + timedelta(seconds=seconds[0]))

    check()
