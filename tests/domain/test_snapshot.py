"""Rebuilding an account from its events, or from a snapshot and later events, restores its exact state."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import FrozenInstanceError, replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres.event_store.mapper import EventMapper
from domain.mails import RecentMails
from domain.main_account import MainAccount
from domain.snapshot import MainAccountSnapshot
from tests.domain import pinned_events
from tests.domain.event_builders import MARIA, REGISTERED, created, registered
from tests.domain.given_when_then import given as given_events
from tests.domain.histories import Command, histories, run_commands

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
    20: (
        '{"timestamp":"2026-03-02T09:30:00.125000+00:00",'
        '"state":{"created_on":"2026-03-02T09:30:00.125000+00:00","email":"bmV3IGVtYWls",'
        '"email_hash":"4e7d0a","company_name":"bmV3IGNvbXBhbnk","language":"it","sub_user_limit":25,'
        '"closed_at":null,"plan":null,"thresholds_told":[],'
        '"sub_users":[{"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","email_hash":"77ab10",'
        '"email":"ZW1haWw","name":"bmV3IG5hbWU","surname":"bmV3IHN1cm5hbWU",'
        '"created_at":"2026-03-02T09:30:00.125000+00:00","visible":false,"active":true,"was_activated":true,'
        '"locked":false,"must_change_password":false,"last_login_at":"2026-03-02T09:30:00.125000+00:00",'
        '"credentials":3,"credentials_mail":"sent","mail_version":15,"revision":8}],'
        '"passwords_issued":{"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978":"2026-03-02T09:30:00.125000+00:00"}}}'
    ),
}
"""Stored snapshots of the pinned history, by version, as written by earlier releases."""

OUTDATED = {8, 21, 31, 33}
"""Versions whose snapshots lack the times at which passwords were issued."""


def stored(events: Iterable[Any]) -> list[StoredEvent]:
    return [MAPPER.to_stored_event(event) for event in events]


def rebuild(stored_events: Iterable[StoredEvent]) -> MainAccount:
    account: MainAccount | None = None
    for stored_event in stored_events:
        account = cast("CanMutateAggregate[UUID]", MAPPER.to_domain_event(stored_event)).mutate(account)
    assert isinstance(account, MainAccount)
    return account


def state(account: MainAccount) -> dict[str, Any]:
    """Return the complete state, including the order of sub-users, which equality ignores."""
    return {**vars(account), "sub_users": list(account.sub_users.items())}


@given(histories())
def test_stored_events_restore_the_account(history: list[Command]) -> None:
    account = registered()
    run_commands(account, history)
    events = stored(account.collect_events())
    assert state(rebuild(events)) == state(account)


@given(histories(), st.data())
def test_snapshot_and_later_events_restore_the_account(history: list[Command], data: st.DataObject) -> None:
    """The snapshot may have any version."""
    account = registered()
    run_commands(account, history)
    events = stored(account.collect_events())
    version = data.draw(st.integers(1, len(events)), label="version")
    earlier = rebuild(events[:version])
    snapshot = stored([MainAccountSnapshot.take(earlier)])
    assert state(rebuild(snapshot)) == state(earlier)
    assert state(rebuild([*snapshot, *events[version:]])) == state(account)


@given(histories(), histories())
def test_copy_and_original_are_independent(before: list[Command], after: list[Command]) -> None:
    """Commands decide on a copy, so a failed save must not affect the cached original."""
    original, twin = registered(), registered()
    run_commands(original, before)
    run_commands(twin, before)
    copy = deepcopy(original)
    assert state(copy) == state(twin)
    run_commands(copy, after)
    assert state(original) == state(twin)
    run_commands(twin, after)
    run_commands(original, list(reversed(after)))
    assert state(copy) == state(twin)


def test_sub_user_is_immutable() -> None:
    """An account and its copy share sub-users."""
    maria = given_events(REGISTERED, created(MARIA)).sub_user(MARIA)
    with pytest.raises(FrozenInstanceError):
        maria.locked = True  # type: ignore[misc]  # the assignment must fail


@pytest.mark.parametrize("version", PINNED)
def test_pinned_snapshot_restores_the_account(version: int) -> None:
    """The state equals that of the events, except for fields that an outdated snapshot lacks."""
    snapshot = StoredEvent(pinned_events.ACCOUNT, version, "MainAccountSnapshot", PINNED[version].encode())
    history = rebuild([row.stored for row in pinned_events.HISTORY[:version]])
    is_outdated = cast("MainAccountSnapshot", MAPPER.to_domain_event(snapshot)).is_outdated
    assert is_outdated == (version in OUTDATED)
    if is_outdated:
        history.sub_users = {
            sub_user_id: replace(sub_user, password_issued_at=None)
            for sub_user_id, sub_user in history.sub_users.items()
        }
    if "recent_mails" not in PINNED[version]:
        history.recent_mails = RecentMails()
    assert state(rebuild([snapshot])) == state(history)
