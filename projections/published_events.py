"""The form in which events leave the service: CloudEvents 1.0, thin, described by one catalog.

Thin means ids, kinds, times, positions, and facts that tell of no person: nothing that is sealed in the history, and no
hash of it, is ever in an envelope. What is published once stays: a field may be added, none is renamed, removed or
given another meaning, and `v1` becomes `v2` where that cannot be kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain import events
from domain.cause import ActorType, Reading, Via
from domain.plan import THRESHOLDS, Resource
from domain.sub_user import Notice
from projections.audit_actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from projections.event_log import Positioned

Schema = dict[str, Any]

PREFIX = "subusers."
CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
WORD: Schema = {"type": "string"}


WHERE = "Where in the whole history it stands: a number of up to 63 bits, which CloudEvents' own are not."


def one_of(words: type[Notice | Via | ActorType | Resource | Reading]) -> Schema:
    """Return the schema of one of some words; more may be added later."""
    return {"type": "string", "examples": [str(word) for word in words]}


@dataclass(frozen=True)
class PublishedEvent:
    """One kind of event, as the outside sees it. `optional` names the facts that may be absent."""

    topic: str
    word: str
    summary: str
    facts: Mapping[str, Schema] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    version: int = 1

    @property
    def type(self) -> str:
        """The CloudEvents type: the routing key, too."""
        return f"{PREFIX}{self.word}.v{self.version}"


def _event(event: type, summary: str, optional: tuple[str, ...] = (), /, **facts: Schema) -> PublishedEvent:
    topic: str = event.TOPIC  # type: ignore[attr-defined]  # every event class has one: a test says so
    return PublishedEvent(topic, ACTIONS[topic], summary, facts, frozenset(optional))


CATALOG: tuple[PublishedEvent, ...] = (
    _event(events.MainAccountRegistered, "A company's main account was set up.", language=WORD, sub_user_limit=COUNT),
    _event(
        events.MainAccountDetailsChanged,
        "The account's own data changed; of its language, what it is now.",
        ("language",),
        language=WORD,
        password_changed=FLAG,
    ),
    _event(events.MainAccountClosed, "The account was closed: nobody logs in to it any more."),
    _event(
        events.MainAccountLoggedIn,
        "The account's owner opened a session.",
        session_id=ID,
        via=one_of(Via),
    ),
    _event(
        events.MainAccountLoginRefused,
        "A login as the account's owner was refused: the first few in a row are told, then ever fewer.",
        why=WORD,
        failures=COUNT,
    ),
    _event(
        events.MainAccountLoggedOut,
        "The owner ended a session of theirs, or without an id all of them.",
        ("session_id",),
        session_id=ID,
    ),
    _event(events.SubUserLimitRaised, "Support allowed the account more sub-users.", sub_user_limit=COUNT),
    _event(
        events.MainAccountPlanSet,
        "What the account's plan includes each month changed, or on which day of the month its periods begin.",
        included_minutes=COUNT,
        included_tokens=COUNT,
        period_start=DAY,
    ),
    _event(
        events.UsageThresholdReached,
        "So many per cent of what the plan includes in a period were used: told once for each amount included.",
        resource={**one_of(Resource), "description": "What was used, and the unit of `used` and `included`."},
        threshold={**COUNT, "description": "Per cent.", "examples": list(THRESHOLDS)},
        period_start=DAY,
        used=COUNT,
        included=COUNT,
    ),
    _event(
        events.SubUserCreated,
        "A collaborator was let in, inactive as yet.",
        ("access_expires_at",),
        visible=FLAG,
        access_expires_at=TIME,
    ),
    _event(events.SubUserDetailsChanged, "A sub-user's name changed."),
    _event(events.SubUserVisibilityChanged, "A sub-user was hidden, or shown again.", visible=FLAG),
    _event(
        events.SubUserAccessExpirySet,
        "A sub-user's access was given an end, or without a time none any more.",
        ("access_expires_at",),
        access_expires_at=TIME,
    ),
    _event(
        events.SubUserActivated,
        "A sub-user may log in, and is mailed access data.",
        credentials=COUNT,
        notice=one_of(Notice),
    ),
    _event(events.SubUserDeactivated, "A sub-user may not log in, for now."),
    _event(
        events.SubUserPasswordReset,
        "The main account replaced a sub-user's password with a temporary one.",
        credentials=COUNT,
        notice=one_of(Notice),
    ),
    _event(events.SubUserPasswordChanged, "A sub-user chose a password of their own.", credentials=COUNT),
    _event(
        events.SubUserLoggedIn,
        "A sub-user opened a session.",
        session_id=ID,
        with_temporary_password=FLAG,
    ),
    _event(
        events.SubUserLoginRefused,
        "A login was refused: the first few in a row are told, then ever fewer. Without a subject: no such sub-user.",
        why=WORD,
        failures=COUNT,
    ),
    _event(events.SubUserLockedOut, "Too many failed logins locked a sub-user.", failures=COUNT),
    _event(events.SubUserUnlocked, "New access data lifted a lock."),
    _event(
        events.SubUserLoggedOut,
        "A sub-user ended a session, or without an id the main account ended all of them.",
        ("session_id",),
        session_id=ID,
    ),
    _event(events.SubUserDeleted, "A sub-user was removed for good."),
    _event(
        events.CredentialsMailed,
        "A mail server took a mail to a sub-user.",
        notice=one_of(Notice),
        caused_by=COUNT,
    ),
    _event(
        events.CredentialsMailFailed,
        "A mail to a sub-user could not be delivered.",
        notice=one_of(Notice),
        caused_by=COUNT,
    ),
    _event(events.PersonalDataErased, "A person's key was deleted: what was encrypted under it can be read by nobody."),
    PublishedEvent(
        events.SubUserActivityRecorded.TOPIC,
        "sub_user.activity_recorded",
        "The portal reported something that a sub-user did.",
        {"action": WORD, "occurred_at": TIME},
    ),
    _event(
        events.UsageRecorded,
        "The portal reported what a sub-user used: milliseconds of conversation, and tokens of language models.",
        conversation_ms=COUNT,
        llm_tokens=COUNT,
        occurred_at=TIME,
    ),
    _event(events.WebhookCreated, "Events are sent to a receiver from here on.", webhook_id=ID),
    _event(
        events.WebhookDisabled,
        "Nothing more is sent to a receiver until it is enabled: it answered that it is gone, or failed too often.",
        webhook_id=ID,
        why={"type": "string", "examples": ["gone", "failing"]},
        failures=COUNT,
    ),
    _event(events.WebhookEnabled, "Events are sent again to a receiver that was disabled.", webhook_id=ID),
    _event(events.WebhookDeleted, "A webhook was removed for good.", webhook_id=ID),
    _event(
        events.AuditLogRead,
        "Somebody other than its owner read an account's audit log or history; subject, times and `as_of` are filters.",
        ("since", "until", "as_of"),
        what=one_of(Reading),
        since=TIME,
        until=TIME,
        as_of=TIME,
    ),
    _event(
        events.AuditLogExported,
        "Somebody took a copy of what is recorded, of one account or without one of all, from a position on (`after`).",
        ("since", "until"),
        format={"type": "string", "examples": ["jsonl", "csv", "ocsf", "ndjson"]},
        after=COUNT,
        since=TIME,
        until=TIME,
    ),
)
"""Every kind of event there is, in the order in which documents list them."""

BY_TOPIC = {one.topic: one for one in CATALOG}
BY_TYPE = {one.type: one for one in CATALOG}


class Envelopes:
    """Puts stored events into envelopes. `source` is the URL by which the outside knows this service."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._blank = {kind.topic: self._blank_of(kind) for kind in CATALOG}

    def of(self, positioned: Positioned) -> dict[str, Any]:
        """Return the envelope of a stored event. Raises KeyError for a topic that the catalog does not have."""
        stored = positioned.stored
        kind = BY_TOPIC[stored.topic]
        state = json.loads(stored.state)
        stream = str(stored.originator_id)
        envelope = self._blank[kind.topic].copy()
        envelope["id"] = f"{stream}:{stored.originator_version}"
        envelope["time"] = _written(state["timestamp"])
        envelope["position"] = positioned.position
        if "sub_user_id" in state:
            envelope["subject"] = state["sub_user_id"]
        if "account_id" in state:  # a fact in a stream of its own
            envelope["accountid"] = state["account_id"]
        elif kind.topic not in APART:  # one without an account is of all of them
            envelope["accountid"] = stream
            envelope["accountversion"] = stored.originator_version
        envelope["data"] = _data(kind, state)
        return envelope

    def _blank_of(self, kind: PublishedEvent) -> dict[str, Any]:
        """Return what all envelopes of a kind have in common, and in which order they tell the rest."""
        return {
            "specversion": "1.0",
            "id": "",
            "type": kind.type,
            "source": self.source,
            "time": "",
            "datacontenttype": "application/json",
            "dataschema": self._address(kind),
            "position": 0,
        }

    def _address(self, kind: PublishedEvent, folder: str = "") -> str:
        return f"{self.source}/schemas/{folder}{kind.type}.json"

    def data_schema(self, kind: PublishedEvent) -> Schema:
        """Return the JSON Schema of the `data` of that kind: of nothing else, as CloudEvents has it."""
        told = {"title": f"data of {kind.type}", "description": kind.summary}
        return {"$schema": DIALECT, "$id": self._address(kind), **told, **_data_schema(kind)}

    def schema(self, kind: PublishedEvent) -> Schema:
        """Return the JSON Schema of a whole envelope of that kind."""
        required = ["specversion", "id", "type", "source", "time", "datacontenttype", "dataschema", "position"]
        if kind.topic not in APART:
            required.append("accountid")
        if kind.topic not in FACTS | APART:
            required.append("accountversion")
        return {
            "$schema": DIALECT,
            "$id": self._address(kind, "envelopes/"),
            "title": kind.type,
            "description": kind.summary,
            "type": "object",
            "required": [*required, "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string", "description": "Stable: the same event always has the same."},
                "type": {"const": kind.type},
                "source": {"type": "string", "format": "uri"},
                "subject": {**ID, "description": "The sub-user, where it is about one."},
                "time": {**TIME, "description": "When it was recorded."},
                "datacontenttype": {"const": "application/json"},
                "dataschema": {"type": "string", "format": "uri", "description": "Where the schema of `data` is."},
                "position": {"type": "integer", "minimum": 1, "description": WHERE},
                "accountid": {**ID, "description": "The main account."},
                "accountversion": {"type": "integer", "minimum": 1, "description": "Where in the account's history."},
                "data": _data_schema(kind),
            },
        }


ACTOR: Schema = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": one_of(ActorType),
        "id": {"type": "string", "description": "The account's, the sub-user's or the API key's id."},
    },
}

FACTS = frozenset({events.SubUserActivityRecorded.TOPIC, events.UsageRecorded.TOPIC})
"""Kinds that are streams of their own: they have no place in an account's stream, and the sub-user is who acts."""

APART = frozenset(
    one.TOPIC
    for one in (
        *(events.WebhookCreated, events.WebhookDisabled, events.WebhookEnabled, events.WebhookDeleted),
        *(events.AuditLogRead, events.AuditLogExported),
    )
)
"""Kinds that stand in another stream than an account's: of one account, or of all, and then without one."""


def _data_schema(kind: PublishedEvent) -> Schema:
    facts = dict(kind.facts) if kind.topic in FACTS else {"actor": ACTOR, **kind.facts}
    return {
        "type": "object",
        "required": [name for name in facts if name not in kind.optional],
        "properties": facts,
    }


def _data(kind: PublishedEvent, state: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if kind.topic not in FACTS:
        data["actor"] = {"type": state["actor_type"]}
        if "actor_id" in state:
            data["actor"]["id"] = state["actor_id"]
    for name, schema in kind.facts.items():
        if name in state:
            data[name] = _written(state[name]) if schema is TIME else state[name]
    return data


def _written(moment: str) -> str:
    """Return a stored moment as RFC 3339 in UTC has it."""
    return moment.replace("+00:00", "Z")
