"""Events of a main account: its details, its owner's sessions, and its plan."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.event_metadata import Ciphertext, Via
from domain.events import ocsf
from domain.events.base import Event
from domain.events.descriptor import EventDescriptor
from domain.plan import THRESHOLDS, Resource


class MainAccountRegistered(Event, AggregateCreated):
    """A company registered its main account."""

    TOPIC: ClassVar[str] = "MainAccountRegistered"
    DESCRIPTOR = EventDescriptor(
        "main_account.registered",
        "A company's main account was registered.",
        facts=("language", "sub_user_limit"),
        ocsf=ocsf.CREATE,
    )
    email: Ciphertext
    email_hash: str
    company_name: Ciphertext
    language: str
    sub_user_limit: int
    external_id: Ciphertext | None


class MainAccountDetailsChanged(Event):
    """The main account's own details changed. None means unchanged."""

    TOPIC: ClassVar[str] = "MainAccountDetailsChanged"
    DESCRIPTOR = EventDescriptor(
        "main_account.details_changed",
        "The account's own data changed. `language` is its language now.",
        facts=("language", "password_changed"),
        ocsf=ocsf.OTHER_CHANGE,
    )
    email: Ciphertext | None
    email_hash: str | None
    company_name: Ciphertext | None
    language: str | None
    password_changed: bool


class MainAccountExternalIdSet(Event):
    """The portal's own id of the account was set, changed or removed (None)."""

    TOPIC: ClassVar[str] = "MainAccountExternalIdSet"
    DESCRIPTOR = EventDescriptor(
        "main_account.external_id_set",
        "The portal's own id of the account was set, changed or removed.",
        ocsf=ocsf.OTHER_CHANGE,
    )
    external_id: Ciphertext | None


class MainAccountClosed(Event):
    """The account was closed, which ends all access to it."""

    TOPIC: ClassVar[str] = "MainAccountClosed"
    DESCRIPTOR = EventDescriptor(
        "main_account.closed",
        "The account was closed. Logins to it are refused from now on.",
        ocsf=ocsf.DISABLE,
    )


class MainAccountLoggedIn(Event):
    """The owner opened a session, with their password or with a login link that the portal requested."""

    TOPIC: ClassVar[str] = "MainAccountLoggedIn"
    DESCRIPTOR = EventDescriptor(
        "main_account.logged_in",
        "The account's owner logged in.",
        facts=("session_id", "via"),
        ocsf=ocsf.LOGON,
    )
    session_id: UUID
    via: Via


class MainAccountLoginRefused(Event):
    """A login as the owner was refused. Not every refusal is recorded; `failures` counts all of them in a row."""

    TOPIC: ClassVar[str] = "MainAccountLoginRefused"
    DESCRIPTOR = EventDescriptor(
        "main_account.login_refused",
        "A login as the account's owner was refused. Of many failures in a row, only the first few and then ever fewer "
        "are published.",
        facts=("why", "failures"),
        ocsf=ocsf.REFUSED_LOGON,
    )
    why: str
    failures: int


class MainAccountLoggedOut(Event):
    """The owner ended one of their sessions, or all of them (None)."""

    TOPIC: ClassVar[str] = "MainAccountLoggedOut"
    DESCRIPTOR = EventDescriptor(
        "main_account.logged_out",
        "The owner ended one of their sessions, or all of them if there is no `session_id`.",
        facts=("session_id",),
        ocsf=ocsf.LOGOFF,
    )
    session_id: UUID | None


class SubUserLimitRaised(Event):
    """Support raised the account's sub-user limit."""

    TOPIC: ClassVar[str] = "SubUserLimitRaised"
    DESCRIPTOR = EventDescriptor(
        "main_account.sub_user_limit_raised",
        "Support raised the account's sub-user limit.",
        facts=("sub_user_limit",),
        ocsf=ocsf.UPDATE_ENTITY,
    )
    sub_user_limit: int


class MainAccountPlanSet(Event):
    """The monthly amounts in the account's plan, or the start of its periods, changed."""

    TOPIC: ClassVar[str] = "MainAccountPlanSet"
    DESCRIPTOR = EventDescriptor(
        "main_account.plan_set",
        "The account's plan changed: what it includes per month, or the day of the month on which its periods begin.",
        facts=("included_minutes", "included_tokens", "period_start"),
        ocsf=ocsf.UPDATE_ENTITY,
    )
    included_minutes: int
    included_tokens: int
    period_start: date


class PasswordResetPolicySet(Event):
    """The account allowed or forbade its sub-users to reset a forgotten password by mail."""

    TOPIC: ClassVar[str] = "PasswordResetPolicySet"
    DESCRIPTOR = EventDescriptor(
        "main_account.password_reset_policy_set",
        "The account allowed or forbade its sub-users to reset a forgotten password by mail.",
        facts=("allowed",),
        ocsf=ocsf.UPDATE_ENTITY,
    )
    allowed: bool


class UsageThresholdReached(Event):
    """Usage in a period reached `threshold` per cent of the plan's included amount of a resource."""

    TOPIC: ClassVar[str] = "UsageThresholdReached"
    DESCRIPTOR = EventDescriptor(
        "main_account.usage_threshold_reached",
        "Usage in a period reached a threshold of what the plan includes. Published once per included amount.",
        facts=("resource", "threshold", "period_start", "used", "included"),
        descriptions={
            "resource": "The resource used, and the unit of `used` and `included`.",
            "threshold": "In percent.",
        },
        examples={"threshold": THRESHOLDS},
    )
    resource: Resource
    threshold: int
    period_start: date
    used: int
    included: int
