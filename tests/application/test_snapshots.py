"""Snapshots: long histories load as fast as short ones, with the same state."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from adapters.postgres.event_store.account_streams import PostgresAccountStreams
from application.errors import StoreUnavailable
from application.repository import SNAPSHOT_EVERY
from domain.snapshot import PASSWORDS_ISSUED, MainAccountSnapshot
from tests.postgres import fetch

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from api.bootstrap.service import Service
    from domain.main_account import MainAccount
    from tests.builders import Company, SubUserHandle


def create_long_history(company: Company, changes: int = 300) -> SubUserHandle:
    """Record many changes, and every kind of sub-user state."""
    sub_user = company.create_with_own_password(access_expires_at=company.service.clock() + timedelta(days=30))
    company.create_sub_user(visible=False)
    deleted = company.create_active()
    deleted.delete()
    for n in range(changes):
        sub_user.change(name=f"Name {n}")
    sub_user.log_in()
    return sub_user


def state_of(account: MainAccount) -> dict[str, Any]:
    return {name: value for name, value in vars(account).items() if name != "_pending_events"}


def test_long_history_is_loaded_from_the_last_snapshot(company: Company) -> None:
    """Loading reads one snapshot, and fewer events than the snapshot interval."""
    create_long_history(company)
    version = company.state().version

    snapshot, *newer = PostgresAccountStreams(company.service.database).read(company.account_id)

    assert snapshot.topic == MainAccountSnapshot.TOPIC
    assert snapshot.originator_version == version - version % SNAPSHOT_EVERY
    assert [event.originator_version for event in newer] == list(range(snapshot.originator_version + 1, version + 1))


def test_snapshot_equals_a_full_replay(company: Company, build: Callable[..., Service]) -> None:
    create_long_history(company)
    from_snapshot = company.with_service(build()).state()

    replayed: MainAccount | None = None
    for event in company.service.main_accounts.events.get(company.account_id):
        replayed = event.mutate(replayed)  # type: ignore[attr-defined]  # every event of an aggregate can

    assert replayed is not None
    assert state_of(from_snapshot) == state_of(replayed)
    assert state_of(company.state()) == state_of(replayed)


def test_snapshot_replaces_the_previous_one(company: Company, database_url: str) -> None:
    """This happens at every multiple of the snapshot interval."""
    sub_user, snapshot_states = company.create_sub_user(), set()
    for n in range(2 * SNAPSHOT_EVERY + 5):
        sub_user.change(name=f"Name {n}")
        snapshot_states |= set(fetch(database_url, "SELECT count(*), max(originator_version) FROM stored_snapshots"))

    assert snapshot_states == {(0, None), (1, SNAPSHOT_EVERY), (1, 2 * SNAPSHOT_EVERY)}


def test_snapshot_of_an_earlier_release_is_ignored(company: Company, database_url: str) -> None:
    """It lacks the times at which passwords were issued, which the events have."""
    sub_user = company.create_active()
    for n in range(SNAPSHOT_EVERY):
        sub_user.change(name=f"Name {n}")
    before = sub_user.state()
    with psycopg.connect(database_url) as connection:
        stored = connection.execute("SELECT state FROM stored_snapshots").fetchall()
        earlier = {name: value for name, value in json.loads(stored[0][0])["state"].items() if name != PASSWORDS_ISSUED}
        state = json.dumps({**json.loads(stored[0][0]), "state": earlier}).encode()
        connection.execute("UPDATE stored_snapshots SET state = %s", [state])

    assert sub_user.state() == before
    assert before.temporary_password_expires_at is not None
    assert (
        sub_user.change(name="The last one").value.temporary_password_expires_at == before.temporary_password_expires_at
    )


def test_commands_continue_from_a_snapshot(company: Company, build: Callable[..., Service]) -> None:
    """Another process that loads the snapshot decides like the first."""
    sub_user = create_long_history(company, 120)
    sub_user_in_other_process = sub_user.with_service(build())

    sub_user_in_other_process.change(name="The last one")
    token = sub_user_in_other_process.log_in().token

    assert sub_user.has_session(token)
    assert sub_user.state() == sub_user_in_other_process.state()


def test_failed_snapshot_does_not_affect_the_command(
    company: Company, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub_user = company.create_sub_user()
    snapshots = company.service.main_accounts.snapshots
    assert snapshots is not None

    def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(snapshots, "put", fail)
    for n in range(120):
        sub_user.change(name=f"Name {n}")

    assert sub_user.state().revision == 121
    assert fetch(database_url, "SELECT count(*) FROM stored_snapshots") == [(0,)]
