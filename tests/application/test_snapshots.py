"""A long history costs a command no more than a short one, and is the same history."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from application.errors import StoreUnavailable
from tests.postgres import ask

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    import pytest

    from api.bootstrap import Service
    from domain.main_account import MainAccount
    from tests.people import Collaborator, Company


def live_long(company: Company, changes: int = 300) -> Collaborator:
    """Give an account a history of so many changes, and of every kind of state."""
    one = company.let_in_settled(access_expires_at=company.service.clock() + timedelta(days=30))
    company.let_in(visible=False)
    gone = company.let_in_active()
    gone.delete()
    for n in range(changes):
        one.change(name=f"Name {n}")
    one.log_in()
    return one


def state_of(account: MainAccount) -> dict[str, Any]:
    return {name: value for name, value in vars(account).items() if name != "_pending_events"}


def test_a_long_history_is_read_from_its_last_snapshot(
    company: Company, build: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has not seen the account reads one snapshot and fewer than a hundred events."""
    live_long(company)
    fresh = build()
    read: list[int] = []
    select_events = fresh.main_accounts.recorder.select_events

    def counting(originator_id: UUID, **bounds: Any) -> Any:
        rows = select_events(originator_id, **bounds)
        read.append(len(rows))
        return rows

    monkeypatch.setattr(fresh.main_accounts.recorder, "select_events", counting)

    account = company.seen_by(fresh).state()

    assert account.version > 300
    assert len(read) == 1
    assert read[0] < 100


def test_it_equals_a_full_replay(company: Company, build: Callable[..., Service]) -> None:
    """Snapshot and later events come to exactly what all events come to."""
    live_long(company)
    from_snapshot = company.seen_by(build()).state()

    replayed: MainAccount | None = None
    for event in company.service.main_accounts.events.get(company.account_id):
        replayed = event.mutate(replayed)  # type: ignore[attr-defined]  # every event of an aggregate can

    assert replayed is not None
    assert state_of(from_snapshot) == state_of(replayed)
    assert state_of(company.state()) == state_of(replayed)


def test_a_snapshot_is_taken_every_hundred_events(company: Company, database_url: str) -> None:
    """And takes the place of the one before."""
    one, seen = company.let_in(), set()
    for n in range(220):
        one.change(name=f"Name {n}")
        seen |= set(ask(database_url, "SELECT count(*), max(originator_version) FROM stored_snapshots"))

    assert seen == {(0, None), (1, 100), (1, 200)}


def test_commands_go_on_from_a_snapshot(company: Company, build: Callable[..., Service]) -> None:
    """A process that began with one decides as any other does."""
    one = live_long(company, 120)
    elsewhere = one.seen_by(build())

    elsewhere.change(name="The last one")
    token = elsewhere.log_in().token

    assert one.has_session(token)
    assert one.state() == elsewhere.state()


def test_a_snapshot_that_cannot_be_taken_costs_nothing(
    company: Company, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It only saves time: the command that came to its turn stands."""
    one = company.let_in()
    snapshots = company.service.main_accounts.snapshots
    assert snapshots is not None

    def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(snapshots, "put", fail)
    for n in range(120):
        one.change(name=f"Name {n}")

    assert one.state().revision == 121
    assert ask(database_url, "SELECT count(*) FROM stored_snapshots") == [(0,)]
