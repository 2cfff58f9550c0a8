"""Results of requests. Fields that a newer service adds are ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from subusers_client.role_models import CheckResult

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Account:
    """A main account. `pending_email` has to be confirmed with the link that was mailed there."""

    account_id: UUID
    email: str
    company_name: str
    language: str
    sub_user_limit: int
    sub_user_count: int
    created_at: datetime
    closed_at: datetime | None
    external_id: str | None = None
    second_factor_policy: str = "optional"
    pending_email: str | None = None
    pending_email_expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """An API key, without its secret. None means no limit."""

    api_key_id: UUID
    name: str
    scope: str
    expires_at: datetime | None
    allowed_addresses: tuple[str, ...] | None
    accounts: tuple[UUID, ...] | None


@dataclass(frozen=True, kw_only=True)
class ConsoleLink:
    """A link that logs an account's owner in to the console, once. Do not store it."""

    url: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class SubUser:
    """A sub-user. `revision` is the value for `if_revision`; lists do not have it."""

    sub_user_id: UUID
    account_id: UUID
    email: str
    name: str
    surname: str
    status: str
    visible: bool
    created_at: datetime
    last_login_at: datetime | None
    access_expires_at: datetime | None
    must_change_password: bool
    credentials_mail: str
    locked: bool
    temporary_password_expires_at: datetime | None = None
    credentials: str | None = None
    has_second_factor: bool = False
    revision: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether the sub-user is active."""
        return self.status == "active"


@dataclass(frozen=True, kw_only=True)
class SessionInfo:
    """A valid session of a sub-user, without its token. `current` is only known in the list of one's own sessions."""

    session_id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    must_change_password: bool
    ip: str | None
    user_agent: str | None
    assurance_level: str | None = None
    browser: str | None = None
    device: str | None = None
    country: str | None = None
    city: str | None = None
    current: bool | None = None


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """A session that was just opened. Only this response has its token.

    With `step_up_required` it has no permissions until it verifies one of the `second_factors`, or adds the first one.
    """

    token: str = field(repr=False)
    expires_at: datetime
    account_id: UUID
    sub_user_id: UUID
    must_change_password: bool
    permissions: tuple[str, ...]
    assurance_level: str = "password"
    step_up_required: bool = False
    second_factors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Introspection:
    """The state of a session at the moment of the request. Do not cache it.

    `allowed` is None if no permission was asked about, and `checks` has the results of the checks in their order. The
    other fields are empty if the session is not active, and names and e-mail unless `profile` was asked for.
    """

    active: bool
    allowed: bool | None = None
    account_id: UUID | None = None
    sub_user_id: UUID | None = None
    permissions: tuple[str, ...] = ()
    must_change_password: bool = False
    assurance_level: str | None = None
    step_up_required: bool = False
    expires_at: datetime | None = None
    checks: tuple[CheckResult, ...] = ()
    email: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    surname: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Activity:
    """An action of a sub-user on the portal, to report."""

    sub_user_id: UUID | str
    action: str
    target: str | None = None
    details: Any = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ActivityGroup:
    """A group of activities. `labels` are its names for people, by language (`en`, `it`)."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ActivityType:
    """The names of an action for people, by language (`en`, `it`).

    `sentences` continue a person's name, such as `changed the assistant {target}`. `effect` is `creation`, `change`,
    `deletion`, `reading` or `other`.
    """

    action: str
    labels: Mapping[str, str]
    sentences: Mapping[str, str] | None = None
    group: str | None = None
    effect: str = "other"


@dataclass(frozen=True, kw_only=True)
class ActivityTypes:
    """All activity types and groups, in display order. `revision` is the value for `if_revision`."""

    revision: int
    groups: tuple[ActivityGroup, ...]
    activity_types: tuple[ActivityType, ...]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Usage of a sub-user, to report: milliseconds of conversation, tokens, or both."""

    sub_user_id: UUID | str
    conversation_ms: int | None = None
    llm_tokens: int | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class UsedAmounts:
    """Sums of usage. `conversation_ms` are milliseconds of conversation."""

    conversation_ms: int
    llm_tokens: int


@dataclass(frozen=True, kw_only=True)
class DayUsage(UsedAmounts):
    """Usage of a day (UTC)."""

    day: date


@dataclass(frozen=True, kw_only=True)
class SubUserUsage(UsedAmounts):
    """Usage of a sub-user."""

    sub_user_id: UUID
    name: str
    visible: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The monthly plan of an account."""

    included_minutes: int
    included_tokens: int
    period_start: date


@dataclass(frozen=True, kw_only=True)
class PlanStanding(Plan):
    """The plan and the usage in its current period. `included_ms` are the included minutes in milliseconds."""

    since: date
    until: date
    included_ms: int
    used_ms: int
    used_tokens: int


@dataclass(frozen=True, kw_only=True)
class UsageReport:
    """Usage of an account."""

    since: date
    until: date
    total: UsedAmounts
    days: tuple[DayUsage, ...]
    sub_users: tuple[SubUserUsage, ...]
    deleted: UsedAmounts
    plan: PlanStanding | None


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who caused an entry of the audit log. `person` is the person at the portal who acted."""

    type: str
    id: str | None
    name: str | None
    api_key_id: UUID | None = None
    person: str | None = None


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """An entry of an account's audit log."""

    position: int
    occurred_at: datetime
    recorded_at: datetime
    action: str
    actor: Actor
    sub_user_id: UUID | None
    target: str | None
    ip: str | None
    user_agent: str | None
    reason: str | None
    details: Any


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A webhook and its progress."""

    webhook_id: UUID
    account_id: UUID | None
    url: str
    event_types: tuple[str, ...] | None
    description: str | None
    signature_algorithm: str
    status: str
    created_at: datetime
    position: int
    failures: int
    next_attempt_at: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    api_key_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class NewWebhook(Webhook):
    """A webhook that was just created, with the key to verify its signatures. Only this response has it."""

    secret: str | None = field(repr=False)
    public_key: str | None

    @property
    def verification_key(self) -> str:
        """The key for `verify_webhook`: the secret or the public key."""
        return self.secret or self.public_key or ""


@dataclass(frozen=True, kw_only=True)
class WebhookKey:
    """A new key to verify the signatures of a webhook. Only this response has it."""

    webhook_id: UUID
    secret: str | None = field(repr=False)
    public_key: str | None

    @property
    def verification_key(self) -> str:
        """The key for `verify_webhook`: the secret or the public key."""
        return self.secret or self.public_key or ""


@dataclass(frozen=True, kw_only=True)
class TestEvent:
    """The result of a test event. Without a response, `status` is None and `reason` says why."""

    __test__ = False  # no test class for pytest

    event_id: str
    sent_at: datetime
    succeeded: bool
    status: int | None
    reason: str | None
    milliseconds: int


@dataclass(frozen=True, kw_only=True)
class WebhookDelivery:
    """An attempt to deliver an event to a webhook."""

    event_id: str
    type: str
    position: int
    attempt: int
    attempted_at: datetime
    status: int | None
    reason: str | None
    milliseconds: int


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event, as in the feed and in webhooks. It has ids, but no personal data."""

    id: str
    type: str
    source: str
    time: datetime
    position: int
    data: dict[str, Any]
    epoch: UUID | None = None
    subject: str | None = None
    account_id: UUID | None = field(default=None, metadata={"json": "accountid"})
    account_version: int | None = field(default=None, metadata={"json": "accountversion"})


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """A page of the event feed. Continue with `after=next_after`, also if the page is empty."""

    items: tuple[Event, ...]
    next_after: int
    has_more: bool
    epoch: UUID | None = None

    def __iter__(self) -> Iterator[Event]:
        return iter(self.items)


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Item]):
    """A page of a list. `next_cursor` is None on the last page."""

    items: tuple[Item, ...]
    next_cursor: str | None

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)
