"""Given-when-then helpers: earlier events, a command, and the events or the refusal that must follow.

    account = given(REGISTERED, created(MARIA), activated(MARIA))
    assert when(account, MainAccount.delete_sub_user, MARIA) == [deleted(MARIA), erased(MARIA)]
    then_refused(SubUserNotFound, account, MainAccount.delete_sub_user, LUCA)

Events are compared by topic and by all of their fields.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import pytest
from eventsourcing.utils import construct_topic, resolve_topic

from domain.event_metadata import ActorType, Ciphertext, EventMetadata
from domain.main_account import MainAccount
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.events import Event

R = TypeVar("R", bound=Refusal)

ACCOUNT = UUID("acc00000-0000-4000-8000-000000000001")
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
EARLIER = NOW - timedelta(days=1)
LATER = NOW + timedelta(days=1)
BY_OWNER = EventMetadata(
    ActorType.MAIN_ACCOUNT,
    str(ACCOUNT),
    "request-7",
    Ciphertext("an ip"),
    Ciphertext("a user agent"),
    Ciphertext("a reason"),
)


@dataclass(frozen=True)
class EventSpec:
    """An event without its stream position, time and metadata."""

    topic: str
    fields: dict[str, Any]


def event_spec(event_class: type[Event], **fields: Any) -> EventSpec:
    return EventSpec(construct_topic(event_class), fields)


def given(*history: EventSpec) -> MainAccount:
    """Return the account after these events, recorded at `EARLIER` with versions from 1."""
    account: object = None
    for version, spec in enumerate(history, start=1):
        position = {"originator_id": ACCOUNT, "originator_version": version, "timestamp": EARLIER}
        event = resolve_topic(spec.topic)(**position, **vars(BY_OWNER), **spec.fields)
        account = event.mutate(account)
    assert isinstance(account, MainAccount)
    return account


def when(
    account: MainAccount,
    command: Callable[..., object],
    *args: Any,
    at: datetime = NOW,
    by: EventMetadata = BY_OWNER,
    **keywords: Any,
) -> list[EventSpec]:
    """Return the events that the command records, after checking their time and metadata."""
    command(account, *args, at=at, metadata=by, **keywords)
    return recorded(account, at, by)


def then_refused(
    refusal: type[R],
    account: MainAccount,
    command: Callable[..., object],
    *args: Any,
    at: datetime = NOW,
    **keywords: Any,
) -> R:
    """Return the refusal, after checking that the command recorded no event and left the account unchanged."""
    before = deepcopy(account)
    with pytest.raises(refusal) as refused:
        command(account, *args, at=at, metadata=BY_OWNER, **keywords)
    assert account == before
    return refused.value


def recorded(account: MainAccount, at: datetime, by: EventMetadata) -> list[EventSpec]:
    """Collect and return the account's new events, after checking their time and metadata."""
    specs = []
    for event in account.collect_events():
        event_fields = dict(vars(event))
        common_fields = {name: event_fields.pop(name) for name in ("originator_id", "timestamp", *vars(by))}
        assert common_fields == {"originator_id": ACCOUNT, "timestamp": at, **vars(by)}
        del event_fields["originator_version"]
        specs.append(EventSpec(construct_topic(type(event)), event_fields))
    return specs
