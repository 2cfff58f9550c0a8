"""Every fact this service records.

Flat, past tense, and without a password, a hash of one, or a token. What says something of a person is `Sealed`
under the key of the person whom `sealed_for` names. A name (`TOPIC`) once stored is for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import Aggregate, AggregateCreated, CanMutateAggregate, DomainEvent
from eventsourcing.utils import register_topic

from domain.cause import ActorType, Reading, Sealed, Via
from domain.plan import Resource
from domain.sub_user import Notice

ORIGIN_FIELDS = frozenset({"ip", "user_agent", "reason"})
"""Sealed fields that tell of the actor, not of the person whom the event is about."""


class Event(Aggregate.Event):
    """What every event of an account says of its origin: see `domain.cause.Cause`."""

    actor_type: ActorType
    actor_id: str | None
    request_id: str | None
    ip: Sealed | None
    user_agent: Sealed | None
    reason: Sealed | None

    @property
    def account_id(self) -> UUID:
        """The main account that this happened in."""
        return self.originator_id

    @property
    def subject_id(self) -> UUID | None:
        """The sub-user whom this is about, if it is about one."""
        sub_user_id: UUID | None = getattr(self, "sub_user_id", None)
        return sub_user_id

    def sealed_for(self, field: str) -> UUID:
        """Return the id of the person under whose key this field is encrypted.

        Where somebody acted from is theirs: the sub-user's if a sub-user acted, or nobody known did so in a
        sub-user's name; else the account owner's.
        """
        if self.subject_id is None:
            return self.account_id
        if field in ORIGIN_FIELDS and self.actor_type not in {ActorType.SUB_USER, ActorType.ANONYMOUS}:
            return self.account_id
        return self.subject_id


class MainAccountRegistered(Event, AggregateCreated):
    """A company's main account was set up."""

    TOPIC: ClassVar[str] = "MainAccountRegistered"
    email: Sealed
    email_hash: str
    company_name: Sealed
    language: str
    sub_user_limit: int


class MainAccountDetailsChanged(Event):
    """The main account's own data changed; None means that it did not."""

    TOPIC: ClassVar[str] = "MainAccountDetailsChanged"
    email: Sealed | None
    email_hash: str | None
    company_name: Sealed | None
    language: str | None
    password_changed: bool


class MainAccountClosed(Event):
    """The account was closed: nobody logs in to it any more."""

    TOPIC: ClassVar[str] = "MainAccountClosed"


class MainAccountLoggedIn(Event):
    """The owner opened a session: with their password, or by a link that the portal obtained for them."""

    TOPIC: ClassVar[str] = "MainAccountLoggedIn"
    session_id: UUID
    via: Via


class MainAccountLoginRefused(Event):
    """A login as the owner was refused. Recorded as seldom as a sub-user's: `failures` counts them all."""

    TOPIC: ClassVar[str] = "MainAccountLoginRefused"
    why: str
    failures: int


class MainAccountLoggedOut(Event):
    """The owner ended a session of their own, or all of them (None)."""

    TOPIC: ClassVar[str] = "MainAccountLoggedOut"
    session_id: UUID | None


class SubUserLimitRaised(Event):
    """Support allowed the account more sub-users."""

    TOPIC: ClassVar[str] = "SubUserLimitRaised"
    sub_user_limit: int


class MainAccountPlanSet(Event):
    """What the account's plan includes each month changed, or on which day its months begin."""

    TOPIC: ClassVar[str] = "MainAccountPlanSet"
    included_minutes: int
    included_tokens: int
    period_start: date


class UsageThresholdReached(Event):
    """So many per cent (`threshold`) of what the plan includes in a period were used. `resource` says in which unit."""

    TOPIC: ClassVar[str] = "UsageThresholdReached"
    resource: Resource
    threshold: int
    period_start: date
    used: int
    included: int


class SubUserCreated(Event):
    """A collaborator was let in, inactive as yet."""

    TOPIC: ClassVar[str] = "SubUserCreated"
    sub_user_id: UUID
    email: Sealed
    email_hash: str
    name: Sealed
    surname: Sealed
    visible: bool
    access_expires_at: datetime | None


class SubUserDetailsChanged(Event):
    """A sub-user's name or surname changed; None means that it did not."""

    TOPIC: ClassVar[str] = "SubUserDetailsChanged"
    sub_user_id: UUID
    name: Sealed | None
    surname: Sealed | None


class SubUserVisibilityChanged(Event):
    """A sub-user was hidden from lists and reports, or shown in them again."""

    TOPIC: ClassVar[str] = "SubUserVisibilityChanged"
    sub_user_id: UUID
    visible: bool


class SubUserAccessExpirySet(Event):
    """A sub-user's access was given an end, another end, or none."""

    TOPIC: ClassVar[str] = "SubUserAccessExpirySet"
    sub_user_id: UUID
    access_expires_at: datetime | None


class SubUserActivated(Event):
    """A sub-user may log in, and is told so by mail. `notice` tells the first activation from later ones."""

    TOPIC: ClassVar[str] = "SubUserActivated"
    sub_user_id: UUID
    credentials: int
    notice: Notice


class SubUserDeactivated(Event):
    """A sub-user may not log in any more, for now."""

    TOPIC: ClassVar[str] = "SubUserDeactivated"
    sub_user_id: UUID


class SubUserPasswordReset(Event):
    """The main account replaced a sub-user's password with a temporary one, and they are told so by mail, if by any."""

    TOPIC: ClassVar[str] = "SubUserPasswordReset"
    sub_user_id: UUID
    credentials: int
    notice: Notice


class SubUserPasswordChanged(Event):
    """A sub-user chose a password of their own."""

    TOPIC: ClassVar[str] = "SubUserPasswordChanged"
    sub_user_id: UUID
    credentials: int


class SubUserLoggedIn(Event):
    """A sub-user opened a session. With a temporary password it is good for setting one's own, and no more."""

    TOPIC: ClassVar[str] = "SubUserLoggedIn"
    sub_user_id: UUID
    session_id: UUID
    with_temporary_password: bool


class SubUserLoginRefused(Event):
    """A login was refused. The first few in a row are recorded, then ever fewer: `failures` counts them all."""

    TOPIC: ClassVar[str] = "SubUserLoginRefused"
    sub_user_id: UUID | None
    why: str
    failures: int


class SubUserLockedOut(Event):
    """Too many failed logins in a row locked the sub-user, until new access data is issued."""

    TOPIC: ClassVar[str] = "SubUserLockedOut"
    sub_user_id: UUID
    failures: int


class SubUserUnlocked(Event):
    """New access data lifted a lock."""

    TOPIC: ClassVar[str] = "SubUserUnlocked"
    sub_user_id: UUID


class SubUserLoggedOut(Event):
    """A session was ended by the sub-user, or all of them (None) by the main account."""

    TOPIC: ClassVar[str] = "SubUserLoggedOut"
    sub_user_id: UUID
    session_id: UUID | None


class SubUserDeleted(Event):
    """A sub-user was removed for good."""

    TOPIC: ClassVar[str] = "SubUserDeleted"
    sub_user_id: UUID


class CredentialsMailed(Event):
    """A mail server took a mail to the sub-user, and answered `reply`. `caused_by` is the version that asked for it."""

    TOPIC: ClassVar[str] = "CredentialsMailed"
    sub_user_id: UUID
    notice: Notice
    caused_by: int
    reply: Sealed


class CredentialsMailFailed(Event):
    """A mail to the sub-user could not be delivered, and is not tried again. `reply` is what the server last said."""

    TOPIC: ClassVar[str] = "CredentialsMailFailed"
    sub_user_id: UUID
    notice: Notice
    caused_by: int
    reply: Sealed


class PersonalDataErased(Event):
    """A person's key was deleted: whatever was encrypted under it can be read by nobody."""

    TOPIC: ClassVar[str] = "PersonalDataErased"
    sub_user_id: UUID | None


@dataclass(frozen=True)  # the library's metaclass does this too, but type checkers cannot see that
class ReportedEvent(CanMutateAggregate[UUID], DomainEvent):
    """What the portal reports of a sub-user. Each is a stream of its own: it never contends with commands."""

    account_id: UUID
    sub_user_id: UUID

    def sealed_for(self, field: str) -> UUID:  # noqa: ARG002  # the same for every field: it is all about the sub-user
        """Return the id of the person under whose key this field is encrypted."""
        return self.sub_user_id


@dataclass(frozen=True)
class SubUserActivityRecorded(ReportedEvent):
    """The portal reported something that a sub-user did."""

    TOPIC: ClassVar[str] = "SubUserActivityRecorded"
    action: str
    target: Sealed | None
    details: Sealed | None
    occurred_at: datetime
    request_id: str | None
    ip: Sealed | None
    user_agent: Sealed | None


@dataclass(frozen=True)
class UsageRecorded(ReportedEvent):
    """The portal reported what a sub-user used of the account's plan."""

    TOPIC: ClassVar[str] = "UsageRecorded"
    conversation_ms: int
    llm_tokens: int
    occurred_at: datetime
    request_id: str | None
    ip: Sealed | None
    user_agent: Sealed | None


register_topic(SubUserActivityRecorded.TOPIC, SubUserActivityRecorded)
register_topic(UsageRecorded.TOPIC, UsageRecorded)


@dataclass(frozen=True)
class WebhookEvent(CanMutateAggregate[UUID], DomainEvent):
    """Something that became of a webhook: each is a stream of its own. Without an account it is told of all of them."""

    webhook_id: UUID
    account_id: UUID | None
    actor_type: ActorType
    actor_id: str | None
    request_id: str | None
    ip: Sealed | None
    user_agent: Sealed | None

    @property
    def subject_id(self) -> None:
        """It is about no sub-user."""

    def sealed_for(self, field: str) -> UUID:  # noqa: ARG002  # the same for every field: the account's owner acted
        """Return the id of the person under whose key this field is encrypted; without an account there is no field."""
        return self.account_id or self.webhook_id


@dataclass(frozen=True)
class WebhookCreated(WebhookEvent):
    """Events are sent to a receiver from here on."""

    TOPIC: ClassVar[str] = "WebhookCreated"


@dataclass(frozen=True)
class WebhookDisabled(WebhookEvent):
    """Nothing more is sent to a receiver that is gone or failed too often. What it lacks stays in the history."""

    TOPIC: ClassVar[str] = "WebhookDisabled"
    why: str
    failures: int


@dataclass(frozen=True)
class WebhookEnabled(WebhookEvent):
    """A webhook that was disabled is taken up again."""

    TOPIC: ClassVar[str] = "WebhookEnabled"


@dataclass(frozen=True)
class WebhookDeleted(WebhookEvent):
    """A webhook was removed for good."""

    TOPIC: ClassVar[str] = "WebhookDeleted"


register_topic(WebhookCreated.TOPIC, WebhookCreated)
register_topic(WebhookDisabled.TOPIC, WebhookDisabled)
register_topic(WebhookEnabled.TOPIC, WebhookEnabled)
register_topic(WebhookDeleted.TOPIC, WebhookDeleted)


@dataclass(frozen=True)
class AuditEvent(CanMutateAggregate[UUID], DomainEvent):
    """Somebody looked at what is recorded. Each is a stream of its own; without an account it was all of them.

    What they asked for is here as they asked it: `sub_user_id` and `wanted_action` are filters, as are the times.
    """

    account_id: UUID | None
    sub_user_id: UUID | None
    actor_type: ActorType
    actor_id: str | None
    request_id: str | None
    ip: Sealed | None
    user_agent: Sealed | None
    wanted_action: str | None
    since: datetime | None
    until: datetime | None

    @property
    def subject_id(self) -> UUID | None:
        """The sub-user whose part of it was asked for, if it was one's."""
        return self.sub_user_id

    def sealed_for(self, field: str) -> UUID:  # noqa: ARG002  # the same for every field: it was the account's that was read
        """Return the id of the person under whose key this field is encrypted; without an account there is no field."""
        return self.account_id or self.originator_id


@dataclass(frozen=True)
class AuditLogRead(AuditEvent):
    """Somebody other than the owner read the audit log or the history, from its first page on."""

    TOPIC: ClassVar[str] = "AuditLogRead"
    what: Reading
    as_of: datetime | None


@dataclass(frozen=True)
class AuditLogExported(AuditEvent):
    """Somebody took a copy of what is recorded, from a position on (`after`)."""

    TOPIC: ClassVar[str] = "AuditLogExported"
    format: str
    after: int


register_topic(AuditLogRead.TOPIC, AuditLogRead)
register_topic(AuditLogExported.TOPIC, AuditLogExported)
