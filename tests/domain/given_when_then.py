"""Given facts, when a command, then these facts and no others, or a refusal and none: how every domain test reads.

    account = given(REGISTERED, created(MARIA), activated(MARIA))
    assert when(account, MainAccount.delete_sub_user, MARIA) == [deleted(MARIA), erased(MARIA)]
    then_refused(SubUserNotFound, account, MainAccount.delete_sub_user, LUCA)

Facts are compared by everything that they say.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import pytest
from eventsourcing.utils import construct_topic, resolve_topic

from domain.cause import ActorType, Cause, Sealed
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
    account: object = None
    for version, one in enumerate(facts, start=1):
        place = {"originator_id": ACCOUNT, "originator_version": version, "timestamp": EARLIER}
        event = resolve_topic(one.topic)(**place, **vars(BY_OWNER), **one.fields)
        account = event.mutate(account)
    assert isinstance(account, MainAccount)
    return account


def when(
    account: MainAccount,
    command: Callable[..., object],
    *args: Any,
    at: datetime = NOW,
    by: Cause = BY_OWNER,
    **named: Any,
) -> list[Fact]:
    """Return what the command recorded; each event must tell its time and its whole origin."""
    command(account, *args, at=at, cause=by, **named)
    return recorded(account, at, by)


def then_refused(
    refusal: type[R], account: MainAccount, command: Callable[..., object], *args: Any, at: datetime = NOW, **named: Any
) -> R:
    """Return the refusal that the command met; it must have recorded nothing, and left the account as it was."""
    before = deepcopy(account)
    with pytest.raises(refusal) as refused:
        command(account, *args, at=at, cause=BY_OWNER, **named)
    assert account == before
    return refused.value


def recorded(account: MainAccount, at: datetime, by: Cause) -> list[Fact]:
    """Return what the account recorded, and have it record no more of the same."""
    facts = []
    for event in account.collect_events():
        said = dict(vars(event))
        place = {name: said.pop(name) for name in ("originator_id", "timestamp", *vars(by))}
        assert place == {"originator_id": ACCOUNT, "timestamp": at, **vars(by)}
        del said["originator_version"]
        facts.append(Fact(construct_topic(type(event)), said))
    return facts
