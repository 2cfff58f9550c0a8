"""Every event there is: known in every place that must know it, and readable for ever."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, cast, get_args, get_type_hints
from uuid import UUID

import pytest
from eventsourcing.domain import CanInitAggregate, DomainEvent
from eventsourcing.utils import TopicError, construct_topic, resolve_topic

from adapters.event_mapper import KEPT_IN_COLUMNS, EventMapper
from domain import events
from domain.cause import ActorType, Cause, Reading, Sealed, Via
from domain.main_account import MainAccount
from domain.main_account_snapshot import MainAccountSnapshot
from domain.plan import Resource
from domain.sub_user import CredentialsMailState, Notice
from projections.audit_actions import ACTIONS, RESERVED
from tests.domain.pinned_events import FACTS, HISTORY, Pinned

if TYPE_CHECKING:
    from enum import StrEnum

    from eventsourcing.domain import CanMutateAggregate

EVENT_CLASSES = {
    name: one
    for name, one in vars(events).items()
    if isinstance(one, type)
    and issubclass(one, DomainEvent)
    and one.__module__ == events.__name__
    and one not in {events.Event, events.ReportedEvent, events.WebhookEvent, events.AuditEvent}
}
CHANGE_NOTHING = {
    *("SubUserLoginRefused", "SubUserLoggedOut", "PersonalDataErased"),
    *("MainAccountLoggedIn", "MainAccountLoginRefused", "MainAccountLoggedOut"),
}
"""What happened is worth keeping, but no decision of an account depends on it: no `@event` method."""
WITHOUT_CONSEQUENCE = {3}
"""The version in the pinned history that says of the owner's own password alone, which is no part of the state."""
STAND_ALONE = {"SubUserActivityRecorded", "UsageRecorded"}
"""Facts, each a stream of its own."""
IN_THE_PORTAL_S_WORDS = {"SubUserActivityRecorded"}
"""What has no action of its own: the audit log calls it by the portal's word."""

PERSONAL = {
    "email",
    "name",
    "surname",
    "company_name",
    "ip",
    "user_agent",
    "reason",
    "reply",
    "target",
    "details",
}
NOT_PERSONAL = {
    *("originator_topic", "actor_id", "request_id", "email_hash", "language", "why", "action"),
    *("wanted_action", "format"),
}
SECRETS = ("password_hash", "token", "key", "secret")
NOT_SECRET = {"llm_tokens", "included_tokens"}
"""Tokens of another kind: what language models count in."""
FLAT = (UUID, str, int, bool, date, datetime, Enum)

PINNED = [*HISTORY, *FACTS]
pinned_events = pytest.mark.parametrize("pinned", PINNED, ids=[f"{row.version} {row.topic}" for row in PINNED])
every_event_class = pytest.mark.parametrize("event_class", EVENT_CLASSES.values(), ids=EVENT_CLASSES)


def account_of(rows: list[Pinned]) -> MainAccount:
    account: MainAccount | None = None
    for row in rows:
        account = cast("CanMutateAggregate[UUID]", EventMapper().to_domain_event(row.stored)).mutate(account)
    assert isinstance(account, MainAccount)
    return account


def state(account: MainAccount) -> dict[str, Any]:
    return MainAccountSnapshot.take(account).state


def resolved(topic: str) -> type | None:
    try:
        return cast("type", resolve_topic(topic))
    except TopicError:
        return None


def forgotten_places(event_class: type) -> list[str]:
    """Return where an event class is missing, in words that tell how to mend it."""
    name, topic = event_class.__name__, construct_topic(event_class)
    missing = []
    if "TOPIC" not in vars(event_class):
        missing.append(f"{name} has no TOPIC of its own: the name it is stored under for ever")
    if not any(issubclass(event_class, row.event_class) for row in PINNED):
        missing.append(f"{name} is not pinned: add what the store holds of it to tests/domain/pinned_events.py")
    if not issubclass(event_class, events.Event):
        if name not in STAND_ALONE and not issubclass(event_class, events.WebhookEvent | events.AuditEvent):
            missing.append(f"{name} is no `Event` of an account: say in STAND_ALONE that it is a fact of its own")
        if resolved(topic) is not event_class:
            missing.append(f"{name} cannot be read: call register_topic({name}.TOPIC, {name}) in domain/events.py")
        return missing
    recorded = resolved(topic)
    if recorded is None or not issubclass(recorded, event_class):
        missing.append(f"{name} is not listed on MainAccount: add `{name} = events.{name}` to domain/main_account.py")
    elif recorded is event_class and name not in CHANGE_NOTHING and not issubclass(recorded, CanInitAggregate):
        missing.append(f"{name} changes nothing: add an @event(events.{name}) to MainAccount, or it to CHANGE_NOTHING")
    if topic not in ACTIONS:
        missing.append(f"{name} has no action: add {topic!r} to ACTIONS in projections/audit_actions.py")
    return missing


@every_event_class
def test_an_event_is_known_in_every_place_that_must_know_it(event_class: type) -> None:
    """Whoever adds an event is told what else it takes."""
    missing = forgotten_places(event_class)
    assert not missing, "\n".join(missing)


def test_an_event_that_is_known_nowhere_is_missed_everywhere() -> None:
    """The test above would notice: this is what it says of an event of an account, and of a fact of its own."""

    class SubUserPromoted(events.Event):
        TOPIC = "SubUserPromoted"

    class SubUserSeen(DomainEvent):
        pass

    assert [line.split(":")[0] for line in forgotten_places(SubUserPromoted)] == [
        "SubUserPromoted is not pinned",
        "SubUserPromoted is not listed on MainAccount",
        "SubUserPromoted has no action",
    ]
    assert [line.split(":")[0] for line in forgotten_places(SubUserSeen)] == [
        "SubUserSeen has no TOPIC of its own",
        "SubUserSeen is not pinned",
        "SubUserSeen is no `Event` of an account",
        "SubUserSeen cannot be read",
    ]


@pinned_events
def test_an_event_is_stored_exactly_like_this(pinned: Pinned) -> None:
    """Names, order and form of what is stored stay as they are."""
    assert issubclass(type(pinned.event), pinned.event_class)
    stored = EventMapper().to_stored_event(pinned.event)
    assert (stored.topic, stored.state.decode()) == (pinned.topic, pinned.payload)
    assert stored == pinned.stored


@pinned_events
def test_what_was_once_stored_is_still_read(pinned: Pinned) -> None:
    """As an event that equals the one recorded, down to the types of what it says."""
    event = EventMapper().to_domain_event(pinned.stored)
    assert event == pinned.event
    for name, value in vars(pinned.event).items():
        assert type(getattr(event, name)) is type(value)


def test_what_is_read_has_nothing_but_its_fields() -> None:
    """Nothing that the recorded event did not have, and nothing that hides what its class says."""
    for row in PINNED:
        assert set(vars(EventMapper().to_domain_event(row.stored))) == set(vars(row.event))


@pytest.mark.parametrize("index", range(1, len(HISTORY)), ids=lambda index: f"{index + 1} {HISTORY[index].topic}")
def test_an_event_changes_the_account_unless_no_decision_depends_on_it(index: int) -> None:
    """An `@event` method that was forgotten, or does nothing, would be noticed here."""
    before, after = account_of(HISTORY[:index]), account_of(HISTORY[: index + 1])
    indifferent = HISTORY[index].event_class.__name__ in CHANGE_NOTHING or after.version in WITHOUT_CONSEQUENCE
    assert (state(after) == state(before)) is indifferent


def test_the_pinned_history_can_be_replayed() -> None:
    """It begins with a registration and ends with a closed and empty account."""
    account = account_of(HISTORY)
    assert (account.version, account.modified_on, account.closed_at) == (
        len(HISTORY),
        HISTORY[-1].event.timestamp,  # type: ignore[attr-defined]  # every event has one, the protocol does not say so
        HISTORY[-2].event.timestamp,  # type: ignore[attr-defined]
    )
    assert account.sub_users == {}


@pytest.mark.parametrize(
    ("words", "stored"),
    [
        (ActorType, "main_account sub_user support system anonymous auditor"),
        (Notice, "none activation reactivation send_again reset password_changed"),
        (CredentialsMailState, "none pending sent failed"),
        (Via, "password link"),
        (Resource, "conversation_ms llm_tokens"),
        (Reading, "audit_log history"),
    ],
    ids=["actor types", "notices", "states of a mail", "ways of the owner", "what a plan includes", "what is read"],
)
def test_a_word_once_stored_is_a_word_for_ever(words: type[StrEnum], stored: str) -> None:
    """Events and snapshots hold these; one may be added, none changed."""
    assert [str(word) for word in words] == stored.split()


def test_no_two_events_share_a_topic_or_an_action() -> None:
    """A topic or an action that stood for two things would say neither."""
    assert len({construct_topic(one) for one in EVENT_CLASSES.values()}) == len(EVENT_CLASSES)
    assert len(set(ACTIONS.values())) == len(ACTIONS)


def test_no_action_is_without_its_event() -> None:
    """And each has a beginning that no activity of the portal's may have."""
    assert set(ACTIONS) == {construct_topic(one) for one in EVENT_CLASSES.values()} - IN_THE_PORTAL_S_WORDS
    assert all(action.startswith(RESERVED) for action in ACTIONS.values())


@every_event_class
def test_no_event_has_a_field_for_a_secret(event_class: type) -> None:
    """No password, no hash of one, no token and no key (DESIGN 3)."""
    names = set(_hints(event_class)) - NOT_SECRET
    assert [name for name in names if any(secret in name for secret in SECRETS)] == []


@every_event_class
def test_what_is_personal_is_sealed(event_class: type) -> None:
    """Every text is either personal, and sealed, or known not to be: whoever adds one has to say which."""
    texts = {name: hint for name, hint in _hints(event_class).items() if hint in {str, Sealed}}
    assert set(texts) - PERSONAL - NOT_PERSONAL == set(), "say in PERSONAL or NOT_PERSONAL what it is"
    assert {name for name, hint in texts.items() if hint is Sealed} == set(texts) & PERSONAL


@every_event_class
def test_an_event_is_flat(event_class: type) -> None:
    """Primitives only, so that any reader in any language can make something of them."""
    nested = {
        name: hint
        for name, hint in _hints(event_class).items()
        if hint is not Sealed and not (isinstance(hint, type) and issubclass(hint, FLAT))
    }
    assert nested == {}


@every_event_class
def test_an_event_tells_its_origin(event_class: type) -> None:
    """Who, from where, and why; of what the portal reports it is known who. Nobody says why of these, nor of a look."""
    known = {"actor_type", "actor_id", "reason"} if event_class.__name__ in STAND_ALONE else set[str]()
    known |= {"reason"} if issubclass(event_class, events.WebhookEvent | events.AuditEvent) else set()
    assert {field.name for field in fields(Cause)} - known <= set(_hints(event_class))


def _hints(event_class: type) -> dict[str, Any]:
    """Return the fields of an event that its payload holds, with their types; that some may be None is left out."""
    assert is_dataclass(event_class)
    hints = get_type_hints(event_class)
    stored = [field.name for field in fields(event_class) if field.name not in KEPT_IN_COLUMNS]
    return {name: _without_none(hints[name]) for name in stored}


def _without_none(hint: Any) -> Any:
    return next((arg for arg in get_args(hint) if arg is not type(None)), hint)
