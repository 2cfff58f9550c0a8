"""However a history went: reading it back, from its beginning or from a snapshot, gives the account as it was."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

from eventsourcing.persistence import StoredEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.event_mapper import EventMapper
from domain.main_account import MainAccount
from domain.main_account_snapshot import MainAccountSnapshot
from domain.refusals import Refusal
from tests.domain.given_when_then import ACCOUNT
from tests.domain.histories import Command, ask, commands, registered
from tests.domain.pinned_events import EXPIRY, SUB_USER, TIME

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from eventsourcing.domain import CanMutateAggregate

unhurried = settings(deadline=None)  # a slow machine is no failure
histories = st.integers(0, 30).flatmap(lambda size: st.lists(commands, min_size=size, max_size=size))

MAPPER = EventMapper()

PINNED_SNAPSHOT = """
"""


def stored(events: Iterable[Any]) -> list[StoredEvent]:
    return [MAPPER.to_stored_event(event) for event in events]


def read(from_store: Iterable[StoredEvent], account: MainAccount | None = None) -> MainAccount:
    for one in from_store:
        account = cast("CanMutateAggregate[UUID]", MAPPER.to_domain_event(one)).mutate(account)
    assert isinstance(account, MainAccount)
    return account


def state(account: MainAccount) -> dict[str, Any]:
    """Return all of it, the order of its sub-users included, which equality would not see."""
    return {**vars(account), "sub_users": list(account.sub_users.items())}


@unhurried
@given(histories)
def test_stored_events_amount_to_the_account_that_recorded_them(asked: list[Command]) -> None:
    """What decided and what is read back never differ."""
    account = registered()
    events = ask(account, asked)
    assert state(read(stored(events))) == state(account)


@unhurried
@given(histories, st.data())
def test_a_snapshot_of_any_version_and_the_events_after_it_amount_to_the_same(
    asked: list[Command], data: st.DataObject
) -> None:
    """A snapshot saves time, and changes nothing else."""
    account = registered()
    events = stored(ask(account, asked))
    version = data.draw(st.integers(1, len(events)), label="version")
    as_it_was = read(events[:version])
    snapshot = stored([MainAccountSnapshot.take(as_it_was)])
    assert state(read(snapshot)) == state(as_it_was)
    assert state(read([*snapshot, *events[version:]])) == state(account)


@unhurried
@given(histories, histories)
def test_a_copy_and_its_original_go_separate_ways(before: list[Command], after: list[Command]) -> None:
    """A decision is made on a copy: where it cannot be saved, the account that is kept must know nothing of it."""
    account, unconcerned = registered(), registered()
    ask(account, before)
    ask(unconcerned, before)
    copy = deepcopy(account)
    assert state(copy) == state(account)
    for minute, one in enumerate(after):
        _ask_or_be_refused(copy, one, minute)
    assert state(account) == state(unconcerned)
    changed = deepcopy(copy)
    for minute, one in enumerate(after):
        _ask_or_be_refused(account, one, minute)
    assert state(copy) == state(changed)
