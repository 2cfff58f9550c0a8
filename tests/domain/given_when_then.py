"""Given facts, when a command, then these facts and no others, or a refusal and none: how every domain test reads.

    account = given(REGISTERED, created(MARIA), activated(MARIA))
    assert when(account, MainAccount.delete_sub_user, MARIA) == [fact(SubUserDeleted, sub_user_id=MARIA), ...]
    then_refused(SubUserNotFound, account, MainAccount.delete_sub_user, LUCA)
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

import pytest
from eventsourcing.utils import construct_topic, resolve_topic

from domain.cause import ActorType, Cause, Sealed
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.events import Event
    from domain.main_account import MainAccount

R = TypeVar("R", bound=Refusal)

ACCOUNT = UUID("acc00000-0000-4000-8000-000000000001")
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
EARLIER = NOW - timedelta(days=1)
LATER = NOW + timedelta(days=1)
BY_OWNER = Cause(
    ActorType.MAIN_ACCOUNT, str(ACCOUNT), "request-7", Sealed("an ip"), Sealed("a user agent"), Sealed("a reason")
)


@dataclass(frozen=True)
class Fact:
    """What an event says, without its place in the stream, its time and its origin."""

    topic: str
    fields: dict[str, Any]


def fact(event_class: type[Event], **fields: Any) -> Fact:
    return Fact(construct_topic(event_class), fields)


def given(*facts: Fact) -> MainAccount:
    """Return the account that these facts amount to. They happened `EARLIER`, with versions from 1 on."""
    account = None
    for version, one in enumerate(facts, start=1):
        place = {"originator_id": ACCOUNT, "originator_version": version, "timestamp": EARLIER}
        event = resolve_topic(one.topic)(**place, **vars(BY_OWNER), **one.fields)
        account = event.mutate(account)
    return cast("MainAccount", account)


def when(
    account: MainAccount, command: Callable[..., object], *args: Any, at: datetime = NOW, by: Cause = BY_OWNER, **named: Any
) -> list[Fact]:
    """Return what the command recorded; each event must tell its time and its whole origin."""
    command(account, *args, at=at, cause=by, **named)
    return [as_fact(cast("Event", event), at, by) for event in account.collect_events()]


def then_refused(
    refusal: type[R], account: MainAccount, command: Callable[..., object], *args: Any, at: datetime = NOW, **named: Any
) -> R:
    """Return the refusal that the command met; it must have recorded nothing, and left the account as it was."""
    before = deepcopy(account)
    with pytest.raises(refusal) as refused:
        command(account, *args, at=at, cause=BY_OWNER, **named)
    assert account == before
    return refused.value


def as_fact(event: Event, at: datetime, by: Cause) -> Fact:
    origin = {name: getattr(event, name) for name in vars(by)}
    assert (event.timestamp, origin) == (at, vars(by))
    known = {"originator_id", "originator_version", "timestamp", *origin}
    return Fact(construct_topic(type(event)), {name: value for name, value in vars(event).items() if name not in known})
