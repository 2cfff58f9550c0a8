"""However a history went: reading it back, from its beginning or from a snapshot, gives the account as it was."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any, cast

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from adapters.event_mapper import EventMapper
from domain.main_account import MainAccount
from domain.main_account_snapshot import MainAccountSnapshot
from tests.domain import pinned_events
from tests.domain.facts import MARIA, REGISTERED, created, registered
from tests.domain.given_when_then import given as given_facts
from tests.domain.histories import Command, ask, histories

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from eventsourcing.domain import CanMutateAggregate

MAPPER = EventMapper()

PINNED = {
    8: (
        '{"timestamp":"2026-03-02T09:30:00.125000+00:00","state":{"created_on":"2026-03-02T09:30:00.125000+00:00",'
        '"email":"bmV3IGVtYWls","email_hash":"4e7d0a","company_name":"bmV3IGNvbXBhbnk","language":"it",'
        '"sub_user_limit":25,"closed_at":null,"sub_users":[{"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",'
        '"email_hash":"77ab10","email":"ZW1haWw","name":"bmV3IG5hbWU","surname":"bmV3IHN1cm5hbWU",'
        '"created_at":"2026-03-02T09:30:00.125000+00:00","visible":false,"active":false,"was_activated":false,'
        '"locked":false,"must_change_password":true,"access_expires_at":"2026-12-31T23:00:00+00:00",'
        '"credentials":1,"credentials_mail":"none","mail_version":0,"revision":4}]}}'
    ),
    21: (
        '{"timestamp":"2026-03-02T09:30:00.125000+00:00","state":{"created_on":"2026-03-02T09:30:00.125000+00:00",'
        '"email":"bmV3IGVtYWls","email_hash":"4e7d0a","company_name":"bmV3IGNvbXBhbnk","language":"it",'
        '"sub_user_limit":25,"closed_at":null,"sub_users":[{"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",'
        '"email_hash":"77ab10","email":"ZW1haWw","name":"bmV3IG5hbWU","surname":"bmV3IHN1cm5hbWU",'
        '"created_at":"2026-03-02T09:30:00.125000+00:00","visible":false,"active":true,"was_activated":true,'
        '"locked":false,"must_change_password":false,"last_login_at":"2026-03-02T09:30:00.125000+00:00",'
        '"credentials":3,"credentials_mail":"sent","mail_version":15,"revision":8}]}}'
    ),
    31: (
        '{"timestamp":"2026-03-02T09:30:00.125000+00:00","state":{"created_on":"2026-03-02T09:30:00.125000+00:00",'
        '"email":"bmV3IGVtYWls","email_hash":"4e7d0a","company_name":"bmV3IGNvbXBhbnk","language":"it",'
        '"sub_user_limit":25,"closed_at":"2026-03-02T09:30:00.125000+00:00","sub_users":[]}}'
    ),
    33: (
        '{"timestamp":"2026-03-02T09:30:00.125000+00:00","state":{"created_on":"2026-03-02T09:30:00.125000+00:00",'
        '"email":"bmV3IGVtYWls","email_hash":"4e7d0a","company_name":"bmV3IGNvbXBhbnk","language":"it",'
        '"sub_user_limit":25,"closed_at":"2026-03-02T09:30:00.125000+00:00",'
        '"plan":{"included_minutes":1000,"included_tokens":2000000,"period_start":"2026-02-28"},'
        '"thresholds_told":[["conversation_ms",80,"2026-02-28",60000000]],"sub_users":[]}}'
    ),
}
"""What the store holds of snapshots of the pinned history, by version: a service that is upgraded finds such."""


def stored(events: Iterable[Any]) -> list[StoredEvent]:
    return [MAPPER.to_stored_event(event) for event in events]


def read(from_store: Iterable[StoredEvent]) -> MainAccount:
    account: MainAccount | None = None
    for one in from_store:
        account = cast("CanMutateAggregate[UUID]", MAPPER.to_domain_event(one)).mutate(account)
    assert isinstance(account, MainAccount)
    return account


def state(account: MainAccount) -> dict[str, Any]:
    """Return all of it, the order of its sub-users included, which equality does not see."""
    return {**vars(account), "sub_users": list(account.sub_users.items())}


@given(histories())
def test_stored_events_amount_to_the_account_that_recorded_them(asked: list[Command]) -> None:
    """What decided, and what is read back, never differ."""
    account = registered()
    ask(account, asked)
    events = stored(account.collect_events())
    assert state(read(events)) == state(account)


@given(histories(), st.data())
def test_a_snapshot_of_any_version_and_the_events_after_it_amount_to_the_same(
    asked: list[Command], data: st.DataObject
) -> None:
    """A snapshot saves time, and changes nothing else."""
    account = registered()
    ask(account, asked)
    events = stored(account.collect_events())
    version = data.draw(st.integers(1, len(events)), label="version")
    as_it_was = read(events[:version])
    snapshot = stored([MainAccountSnapshot.take(as_it_was)])
    assert state(read(snapshot)) == state(as_it_was)
    assert state(read([*snapshot, *events[version:]])) == state(account)


@given(histories(), histories())
def test_a_copy_and_its_original_go_separate_ways(before: list[Command], after: list[Command]) -> None:
    """A decision is made on a copy: where it cannot be saved, the account that is kept knows nothing of it."""
    original, twin = registered(), registered()
    ask(original, before)
    ask(twin, before)
    copy = deepcopy(original)
    assert state(copy) == state(twin)
    ask(copy, after)
    assert state(original) == state(twin)
    ask(twin, after)
    ask(original, list(reversed(after)))
    assert state(copy) == state(twin)


def test_a_sub_user_is_never_changed_in_place() -> None:
    """A copy shares them with its original."""
    maria = given_facts(REGISTERED, created(MARIA)).sub_user(MARIA)
    with pytest.raises(FrozenInstanceError):
        maria.locked = True  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize("version", PINNED)
def test_a_snapshot_that_was_once_stored_is_still_read(version: int) -> None:
    """As what the history up to there amounts to."""
    snapshot = StoredEvent(pinned_events.ACCOUNT, version, "MainAccountSnapshot", PINNED[version].encode())
    history = [row.stored for row in pinned_events.HISTORY[:version]]
    assert state(read([snapshot])) == state(read(history))
