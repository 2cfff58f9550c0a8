"""Every event is registered in all necessary places; the failure names the missing ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from eventsourcing.domain import CanInitAggregate, DomainEvent
from eventsourcing.utils import TopicError, construct_topic, resolve_topic

from adapters.postgres.sql_files import statements
from api.presentation.translations import LANGUAGES, load_texts
from domain import events
from domain.events.descriptor import EventDescriptor
from projections.audit_log.actions import ACTIONS, RESERVED
from tests.domain.event_catalog import (
    EVENT_CLASSES,
    NOT_APPLIED,
    NOT_IN_HISTORY_STATE,
    ONLY_EVENT_OF_STREAM,
    OTHER_STREAM_CLASSES,
    every_event_class,
)
from tests.domain.pinned_events import PINNED_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

WITHOUT_OWN_ACTION = {"SubUserActivityRecorded"}
"""Events whose audit action the portal chooses."""


def class_of_topic(topic: str) -> type | None:
    try:
        return cast("type", resolve_topic(topic))
    except TopicError:
        return None


def missing_registrations(event_class: type) -> list[str]:
    """Return the missing registrations of an event class, with instructions."""
    name, topic = event_class.__name__, construct_topic(event_class)
    missing = []
    if "TOPIC" not in vars(event_class):
        missing.append(f"{name} has no TOPIC of its own: the permanent name in the store")
    if "DESCRIPTOR" not in vars(event_class):
        missing.append(f"{name} has no DESCRIPTOR of its own: its action, published form and OCSF activity")
    else:
        missing += missing_texts(name, vars(event_class)["DESCRIPTOR"])
    if getattr(events, name, None) is not event_class:
        missing.append(f"{name} is not re-exported: import it in domain/events/__init__.py")
    if not any(issubclass(event_class, pinned_event.event_class) for pinned_event in PINNED_EVENTS):
        missing.append(f"{name} is not pinned: add its stored form to tests/domain/pinned_events.py")
    if not issubclass(event_class, events.Event):
        if name not in ONLY_EVENT_OF_STREAM and not issubclass(event_class, OTHER_STREAM_CLASSES):
            missing.append(
                f"{name} is no `Event` of an account: add it to ONLY_EVENT_OF_STREAM if its streams have one event"
            )
        if class_of_topic(topic) is not event_class:
            missing.append(f"{name} cannot be read: add its base class to EVENT_CLASSES in domain/events/__init__.py")
        return missing
    recorded = class_of_topic(topic)
    if recorded is None or not issubclass(recorded, event_class):
        missing.append(f"{name} is not listed on MainAccount: add `{name} = events.{name}` to domain/main_account.py")
    elif recorded is event_class and name not in NOT_APPLIED and not issubclass(recorded, CanInitAggregate):
        missing.append(f"{name} is not applied: add an @event(events.{name}) to MainAccount, or it to NOT_APPLIED")
    return missing


def missing_texts(name: str, descriptor: EventDescriptor) -> Iterator[str]:
    """Yield the languages in which the action has no sentence or label, with instructions."""
    for language in LANGUAGES if descriptor.has_own_action else ():
        texts, file = load_texts(language), f"api/presentation/texts/{language}/actions.toml"
        if not any(f"{key}.".startswith(f"actions.sentence.{descriptor.name}.") for key in texts):
            yield f"{name} has no sentence: add {descriptor.name} in {file}"
        if f"actions.label.{descriptor.name}" not in texts:
            yield f"{name} has no label: add {descriptor.name} in {file}"


@every_event_class
def test_event_is_registered_everywhere(event_class: type) -> None:
    """The failure explains what to add."""
    missing = missing_registrations(event_class)
    assert not missing, "\n".join(missing)


def test_unregistered_event_is_reported() -> None:
    """Validates the test above for an account event and for a standalone event."""

    class SubUserPromoted(events.Event):
        TOPIC = "SubUserPromoted"

    class SubUserDemoted(SubUserPromoted):
        TOPIC = "SubUserDemoted"
        DESCRIPTOR = EventDescriptor("sub_user.demoted", "A sub-user was demoted.")

    class SubUserSeen(DomainEvent):
        pass

    assert [line.split(":")[0] for line in missing_registrations(SubUserPromoted)] == [
        "SubUserPromoted has no DESCRIPTOR of its own",
        "SubUserPromoted is not re-exported",
        "SubUserPromoted is not pinned",
        "SubUserPromoted is not listed on MainAccount",
    ]
    texts = [line for line in missing_registrations(SubUserDemoted) if "actions.toml" in line]
    assert [line.split(":")[0] for line in texts] == [
        "SubUserDemoted has no sentence",
        "SubUserDemoted has no label",
    ] * len(LANGUAGES)
    assert {language for language in LANGUAGES if f"/{language}/" in "".join(texts)} == {*LANGUAGES}
    assert [line.split(":")[0] for line in missing_registrations(SubUserSeen)] == [
        "SubUserSeen has no TOPIC of its own",
        "SubUserSeen has no DESCRIPTOR of its own",
        "SubUserSeen is not re-exported",
        "SubUserSeen is not pinned",
        "SubUserSeen is no `Event` of an account",
        "SubUserSeen cannot be read",
    ]


def test_history_reads_every_event_that_changes_the_state() -> None:
    """The index of migration 0027 has the same list."""
    queries = statements("projections.history", "queries")
    for name in ("state_events", "state_events_about"):
        listed = set(re.findall(r"'(\w+)'", re.findall(r"topic IN \((.*?)\)", queries[name], re.DOTALL)[0]))
        assert listed == events.ACCOUNT_TOPICS - NOT_APPLIED - NOT_IN_HISTORY_STATE


def test_topics_and_actions_are_unique() -> None:
    assert len({construct_topic(event_class) for event_class in EVENT_CLASSES.values()}) == len(EVENT_CLASSES)
    assert len(set(ACTIONS.values())) == len(ACTIONS)


def test_every_action_belongs_to_an_event() -> None:
    """Each action starts with a reserved prefix that the portal's activities may not use."""
    assert set(ACTIONS) == {construct_topic(event_class) for event_class in EVENT_CLASSES.values()} - WITHOUT_OWN_ACTION
    assert all(action.startswith(RESERVED) for action in ACTIONS.values())
