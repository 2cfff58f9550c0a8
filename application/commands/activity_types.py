"""Types of the portal's activities: their names for people and their groups, and the command that replaces them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, cast
from uuid import UUID

from application.errors import TooBusy, VersionConflict
from application.repository import ATTEMPTS, Outcome
from domain.event_metadata import ActorType
from domain.events import ActivityTypesSet
from domain.refusals import ActivityTypesChanged

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from application.command_context import CommandContext
    from application.ports.clock import Clock
    from application.repository import MainAccounts

ACTIVITY_TYPES_ID = UUID("1f6c0f0e-8a0b-5d57-b2a4-6d2f2b6f3c11")
"""Id of the stream. The revision of the activity types is the version of the stream."""

MAX_ACTIVITY_TYPES = 500
MAX_ACTIVITY_GROUPS = 50


class ActivityEffect(StrEnum):
    """What an activity does to its target."""

    CREATION = "creation"
    CHANGE = "change"
    DELETION = "deletion"
    READING = "reading"
    OTHER = "other"


@dataclass(frozen=True)
class ActivityGroup:
    """A group of activity types. `labels` are its names for people, by language."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class ActivityType:
    """The names of an action that the portal reports, by language.

    `labels` name the action. `sentences` continue the name of a person, and have the placeholder `{target}`.
    """

    action: str
    labels: Mapping[str, str]
    sentences: Mapping[str, str] | None = None
    group: str | None = None
    effect: ActivityEffect = ActivityEffect.OTHER


@dataclass(frozen=True)
class ActivityTypes:
    """All activity types and groups, in display order. `revision` counts the changes."""

    revision: int
    groups: tuple[ActivityGroup, ...] = ()
    activity_types: tuple[ActivityType, ...] = ()

    @cached_property
    def by_action(self) -> Mapping[str, ActivityType]:
        """Return the types by action."""
        return {activity_type.action: activity_type for activity_type in self.activity_types}


NO_ACTIVITY_TYPES = ActivityTypes(0)
"""The activity types until the portal registers some."""


class ActivityTypeRegistry:
    """The activity types of the installation."""

    def __init__(self, accounts: MainAccounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    def current(self) -> ActivityTypes:
        """Return the current activity types."""
        return _types_of(self._latest_event())

    def replace(
        self,
        groups: Sequence[ActivityGroup],
        activity_types: Sequence[ActivityType],
        context: CommandContext,
        *,
        if_revisions: Collection[int] | None = None,
    ) -> Outcome[ActivityTypes]:
        """Replace all activity types. The same types record nothing. The actor is the system, with the API key's id.

        Raises `ActivityTypesChanged`.
        """
        context = replace(context, actor_type=ActorType.SYSTEM, actor_id=context.api_key_id)
        for _ in range(ATTEMPTS):
            event = self._latest_event()
            current = _types_of(event)
            if if_revisions is not None and current.revision not in if_revisions:
                raise ActivityTypesChanged
            replaced = ActivityTypes(current.revision + 1, tuple(groups), tuple(activity_types))
            if replace(replaced, revision=current.revision) == current:
                return Outcome(current, None)
            now = self._clock()
            stored = ActivityTypesSet(
                originator_id=ACTIVITY_TYPES_ID,
                originator_version=replaced.revision,
                timestamp=now if event is None else max(now, event.timestamp),  # the clocks of hosts differ
                actions=" ".join(replaced.by_action),
                definitions=json.dumps(
                    {
                        "groups": [asdict(group) for group in groups],
                        "activity_types": [asdict(activity_type) for activity_type in activity_types],
                    },
                    separators=(",", ":"),
                ),
                actor_type=context.actor_type,
                actor_id=context.actor_id,
                request_id=context.request_id,
                ip=None,
                user_agent=None,
                actor_api_key_id=context.api_key_id,
            )
            try:
                return Outcome(replaced, self._accounts.save_together([stored], [], []))
            except VersionConflict:
                continue
        raise TooBusy

    def _latest_event(self) -> ActivityTypesSet | None:
        for event in self._accounts.events.get(ACTIVITY_TYPES_ID, desc=True, limit=1):
            return cast("ActivityTypesSet", event)
        return None


def _types_of(event: ActivityTypesSet | None) -> ActivityTypes:
    return NO_ACTIVITY_TYPES if event is None else _parse(event.originator_version, event.definitions)


@lru_cache(maxsize=4)
def _parse(revision: int, definitions: str) -> ActivityTypes:
    """Return the activity types of an event. Cached by their text, because every page of the audit log needs them."""
    parsed = json.loads(definitions)
    return ActivityTypes(
        revision,
        tuple(ActivityGroup(**group) for group in parsed["groups"]),
        tuple(
            ActivityType(**{**activity_type, "effect": ActivityEffect(activity_type["effect"])})
            for activity_type in parsed["activity_types"]
        ),
    )
