"""One possible history of an account, and a fact beside it, each event exactly as the store holds it.

What stands here is stored somewhere for ever: no topic and no payload is ever changed or removed. A class may be
renamed: its rows keep their topic. A field may be added: the rows there were say that it is None, and a row is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import resolve_topic

from domain import events
from domain.cause import ActorType, Reading, Sealed, Via
from domain.plan import Resource
from domain.sub_user import Notice

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEventProtocol

ACCOUNT = UUID("3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10")
SUB_USER = UUID("7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978")
SESSION = UUID("c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b")
ACTIVITY = UUID("e0a1b2c3-d4e5-4f60-8a7b-9c0d1e2f3a4b")
WEBHOOK = UUID("5d2c1b0a-9f8e-4d7c-8b6a-594837261504")
LOOK = UUID("9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d")
TIME = datetime(2026, 3, 2, 9, 30, 0, 125000, tzinfo=UTC)
EXPIRY = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)

BARE = dict.fromkeys(("actor_id", "request_id", "ip", "user_agent", "reason"))
OWNER = {**BARE, "actor_type": ActorType.MAIN_ACCOUNT, "actor_id": "portal"}
SUPPORT = {**OWNER, "actor_type": ActorType.SUPPORT, "actor_id": "desk", "reason": Sealed("c2VhbGVkIHJlYXNvbg")}
SYSTEM = {**BARE, "actor_type": ActorType.SYSTEM, "actor_id": "mailer"}
THEMSELVES = {**BARE, "actor_type": ActorType.SUB_USER, "actor_id": "7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}
OF_LOOK = {
    **dict.fromkeys(("account_id", "sub_user_id", "request_id", "ip", "user_agent", "wanted_action", "since", "until")),
    "actor_type": ActorType.SYSTEM,
    "actor_id": "operator",
}
OF_WEBHOOK = {
    **dict.fromkeys(("request_id", "ip", "user_agent")),
    "webhook_id": WEBHOOK,
    "account_id": ACCOUNT,
    "actor_type": ActorType.SYSTEM,
    "actor_id": "webhooks",
}
SOMEBODY = {**BARE, "actor_type": ActorType.ANONYMOUS, "ip": Sealed("c2VhbGVkIGlw")}


@dataclass(frozen=True)
class Pinned:
    """An event as the store holds it, and what it says."""

    event_class: type
    topic: str
    payload: str
    fields: dict[str, Any]
    stream: UUID = ACCOUNT
    version: int = 1

    @property
    def event(self) -> DomainEventProtocol[UUID]:
        place = {"originator_id": self.stream, "originator_version": self.version, "timestamp": TIME}
        event: DomainEventProtocol[UUID] = resolve_topic(self.topic)(**place, **self.fields)
        return event

    @property
    def stored(self) -> StoredEvent:
        return StoredEvent(self.stream, self.version, self.topic, self.payload.encode())


HISTORY = [
    Pinned(
        events.MainAccountRegistered,
        "MainAccountRegistered",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","originator_topic":"MainAccount",'
            '"actor_type":"main_account","actor_id":"portal","request_id":"r-1","ip":"c2VhbGVkIGlw",'
            '"user_agent":"c2VhbGVkIGFnZW50","email":"c2VhbGVkIGVtYWls","email_hash":"9b2c1f",'
            '"company_name":"c2VhbGVkIGNvbXBhbnk","language":"en","sub_user_limit":10}'
        ),
        {
            **OWNER,
            "request_id": "r-1",
            "ip": Sealed("c2VhbGVkIGlw"),
            "user_agent": Sealed("c2VhbGVkIGFnZW50"),
            "originator_topic": "MainAccount",
            "email": Sealed("c2VhbGVkIGVtYWls"),
            "email_hash": "9b2c1f",
            "company_name": Sealed("c2VhbGVkIGNvbXBhbnk"),
            "language": "en",
            "sub_user_limit": 10,
        },
        version=1,
    ),
    Pinned(
        events.MainAccountDetailsChanged,
        "MainAccountDetailsChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"email":"bmV3IGVtYWls","email_hash":"4e7d0a","company_name":"bmV3IGNvbXBhbnk","language":"it",'
            '"password_changed":false}'
        ),
        {
            **OWNER,
            "email": Sealed("bmV3IGVtYWls"),
            "email_hash": "4e7d0a",
            "company_name": Sealed("bmV3IGNvbXBhbnk"),
            "language": "it",
            "password_changed": False,
        },
        version=2,
    ),
    Pinned(
        events.MainAccountDetailsChanged,
        "MainAccountDetailsChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"password_changed":true}'
        ),
        {**OWNER, "email": None, "email_hash": None, "company_name": None, "language": None, "password_changed": True},
        version=3,
    ),
    Pinned(
        events.SubUserLimitRaised,
        "SubUserLimitRaised",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"support","actor_id":"desk",'
            '"reason":"c2VhbGVkIHJlYXNvbg","sub_user_limit":25}'
        ),
        {**SUPPORT, "sub_user_limit": 25},
        version=4,
    ),
    Pinned(
        events.SubUserCreated,
        "SubUserCreated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","email":"ZW1haWw","email_hash":"77ab10",'
            '"name":"bmFtZQ","surname":"c3VybmFtZQ","visible":true}'
        ),
        {
            **OWNER,
            "sub_user_id": SUB_USER,
            "email": Sealed("ZW1haWw"),
            "email_hash": "77ab10",
            "name": Sealed("bmFtZQ"),
            "surname": Sealed("c3VybmFtZQ"),
            "visible": True,
            "access_expires_at": None,
        },
        version=5,
    ),
    Pinned(
        events.SubUserDetailsChanged,
        "SubUserDetailsChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","name":"bmV3IG5hbWU","surname":"bmV3IHN1cm5hbWU"}'
        ),
        {**OWNER, "sub_user_id": SUB_USER, "name": Sealed("bmV3IG5hbWU"), "surname": Sealed("bmV3IHN1cm5hbWU")},
        version=6,
    ),
    Pinned(
        events.SubUserVisibilityChanged,
        "SubUserVisibilityChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","visible":false}'
        ),
        {**OWNER, "sub_user_id": SUB_USER, "visible": False},
        version=7,
    ),
    Pinned(
        events.SubUserAccessExpirySet,
        "SubUserAccessExpirySet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","access_expires_at":"2026-12-31T23:00:00+00:00"}'
        ),
        {**OWNER, "sub_user_id": SUB_USER, "access_expires_at": EXPIRY},
        version=8,
    ),
    Pinned(
        events.SubUserAccessExpirySet,
        "SubUserAccessExpirySet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER, "sub_user_id": SUB_USER, "access_expires_at": None},
        version=9,
    ),
    Pinned(
        events.SubUserActivated,
        "SubUserActivated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","credentials":1,"notice":"activation"}'
        ),
        {**OWNER, "sub_user_id": SUB_USER, "credentials": 1, "notice": Notice.ACTIVATION},
        version=10,
    ),
    Pinned(
        events.CredentialsMailFailed,
        "CredentialsMailFailed",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"mailer",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","notice":"activation","caused_by":10,'
            '"reply":"NTUwIG5v"}'
        ),
        {**SYSTEM, "sub_user_id": SUB_USER, "notice": Notice.ACTIVATION, "caused_by": 10, "reply": Sealed("NTUwIG5v")},
        version=11,
    ),
    Pinned(
        events.SubUserLoginRefused,
        "SubUserLoginRefused",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","why":"wrong_password","failures":64}'
        ),
        {**SOMEBODY, "sub_user_id": SUB_USER, "why": "wrong_password", "failures": 64},
        version=12,
    ),
    Pinned(
        events.SubUserLoginRefused,
        "SubUserLoginRefused",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw",'
            '"why":"unknown","failures":1}'
        ),
        {**SOMEBODY, "sub_user_id": None, "why": "unknown", "failures": 1},
        version=13,
    ),
    Pinned(
        events.SubUserLockedOut,
        "SubUserLockedOut",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","failures":100}'
        ),
        {**SOMEBODY, "sub_user_id": SUB_USER, "failures": 100},
        version=14,
    ),
    Pinned(
        events.SubUserPasswordReset,
        "SubUserPasswordReset",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","credentials":2,"notice":"send_again"}'
        ),
        {**OWNER, "sub_user_id": SUB_USER, "credentials": 2, "notice": Notice.SEND_AGAIN},
        version=15,
    ),
    Pinned(
        events.SubUserUnlocked,
        "SubUserUnlocked",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER, "sub_user_id": SUB_USER},
        version=16,
    ),
    Pinned(
        events.CredentialsMailed,
        "CredentialsMailed",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"mailer",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","notice":"send_again","caused_by":15,'
            '"reply":"MjUwIG9r"}'
        ),
        {**SYSTEM, "sub_user_id": SUB_USER, "notice": Notice.SEND_AGAIN, "caused_by": 15, "reply": Sealed("MjUwIG9r")},
        version=17,
    ),
    Pinned(
        events.SubUserLoggedIn,
        "SubUserLoggedIn",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"sub_user",'
            '"actor_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b","with_temporary_password":true}'
        ),
        {**THEMSELVES, "sub_user_id": SUB_USER, "session_id": SESSION, "with_temporary_password": True},
        version=18,
    ),
    Pinned(
        events.SubUserPasswordChanged,
        "SubUserPasswordChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"sub_user",'
            '"actor_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",'
            '"credentials":3}'
        ),
        {**THEMSELVES, "sub_user_id": SUB_USER, "credentials": 3},
        version=19,
    ),
    Pinned(
        events.SubUserLoggedOut,
        "SubUserLoggedOut",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"sub_user",'
            '"actor_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b"}'
        ),
        {**THEMSELVES, "sub_user_id": SUB_USER, "session_id": SESSION},
        version=20,
    ),
    Pinned(
        events.SubUserLoggedOut,
        "SubUserLoggedOut",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER, "sub_user_id": SUB_USER, "session_id": None},
        version=21,
    ),
    Pinned(
        events.SubUserDeactivated,
        "SubUserDeactivated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER, "sub_user_id": SUB_USER},
        version=22,
    ),
    Pinned(
        events.SubUserDeleted,
        "SubUserDeleted",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER, "sub_user_id": SUB_USER},
        version=23,
    ),
    Pinned(
        events.PersonalDataErased,
        "PersonalDataErased",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER, "sub_user_id": SUB_USER},
        version=24,
    ),
    Pinned(
        events.MainAccountLoginRefused,
        "MainAccountLoginRefused",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw",'
            '"why":"wrong_password","failures":8}'
        ),
        {**SOMEBODY, "why": "wrong_password", "failures": 8},
        version=25,
    ),
    Pinned(
        events.MainAccountLoggedIn,
        "MainAccountLoggedIn",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b","via":"password"}'
        ),
        {**OWNER, "session_id": SESSION, "via": Via.PASSWORD},
        version=26,
    ),
    Pinned(
        events.MainAccountLoggedOut,
        "MainAccountLoggedOut",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b"}'
        ),
        {**OWNER, "session_id": SESSION},
        version=27,
    ),
    Pinned(
        events.MainAccountLoggedIn,
        "MainAccountLoggedIn",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b","via":"link"}'
        ),
        {**OWNER, "session_id": SESSION, "via": Via.LINK},
        version=28,
    ),
    Pinned(
        events.MainAccountLoggedOut,
        "MainAccountLoggedOut",
        ('{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal"}'),
        {**OWNER, "session_id": None},
        version=29,
    ),
    Pinned(
        events.MainAccountClosed,
        "MainAccountClosed",
        ('{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal"}'),
        {**OWNER},
        version=30,
    ),
    Pinned(
        events.PersonalDataErased,
        "PersonalDataErased",
        ('{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal"}'),
        {**OWNER, "sub_user_id": None},
        version=31,
    ),
    Pinned(
        events.MainAccountPlanSet,
        "MainAccountPlanSet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"included_minutes":1000,"included_tokens":2000000,"period_start":"2026-02-28"}'
        ),
        {**OWNER, "included_minutes": 1000, "included_tokens": 2_000_000, "period_start": date(2026, 2, 28)},
        version=32,
    ),
    Pinned(
        events.UsageThresholdReached,
        "UsageThresholdReached",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"mailer",'
            '"resource":"conversation_ms","threshold":80,"period_start":"2026-02-28","used":48000060,'
            '"included":60000000}'
        ),
        {
            **SYSTEM,
            "resource": Resource.CONVERSATION,
            "threshold": 80,
            "period_start": date(2026, 2, 28),
            "used": 48_000_060,
            "included": 60_000_000,
        },
        version=33,
    ),
]

FACTS = [
    Pinned(
        events.SubUserActivityRecorded,
        "SubUserActivityRecorded",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","action":"assistente.pubblicò","target":"dGFyZ2V0",'
            '"details":"ZGV0YWlscw","occurred_at":"2026-12-31T23:00:00+00:00","request_id":"r-2","ip":"c2VhbGVkIGlw",'
            '"user_agent":"c2VhbGVkIGFnZW50"}'
        ),
        {
            "account_id": ACCOUNT,
            "sub_user_id": SUB_USER,
            "action": "assistente.pubblicò",
            "target": Sealed("dGFyZ2V0"),
            "details": Sealed("ZGV0YWlscw"),
            "occurred_at": EXPIRY,
            "request_id": "r-2",
            "ip": Sealed("c2VhbGVkIGlw"),
            "user_agent": Sealed("c2VhbGVkIGFnZW50"),
        },
        stream=ACTIVITY,
    ),
    Pinned(
        events.SubUserActivityRecorded,
        "SubUserActivityRecorded",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","action":"report.read",'
            '"occurred_at":"2026-12-31T23:00:00+00:00"}'
        ),
        {
            "account_id": ACCOUNT,
            "sub_user_id": SUB_USER,
            "action": "report.read",
            "target": None,
            "details": None,
            "occurred_at": EXPIRY,
            "request_id": None,
            "ip": None,
            "user_agent": None,
        },
        stream=ACTIVITY,
    ),
    Pinned(
        events.WebhookCreated,
        "WebhookCreated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10","actor_type":"main_account","actor_id":"portal",'
            '"request_id":"r-3","ip":"c2VhbGVkIGlw","user_agent":"c2VhbGVkIGFnZW50"}'
        ),
        {
            **OF_WEBHOOK,
            "actor_type": ActorType.MAIN_ACCOUNT,
            "actor_id": "portal",
            "request_id": "r-3",
            "ip": Sealed("c2VhbGVkIGlw"),
            "user_agent": Sealed("c2VhbGVkIGFnZW50"),
        },
        stream=WEBHOOK,
    ),
    Pinned(
        events.WebhookDisabled,
        "WebhookDisabled",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10","actor_type":"system","actor_id":"webhooks",'
            '"why":"failing","failures":10}'
        ),
        {**OF_WEBHOOK, "why": "failing", "failures": 10},
        stream=WEBHOOK,
        version=2,
    ),
    Pinned(
        events.WebhookEnabled,
        "WebhookEnabled",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10","actor_type":"system","actor_id":"webhooks"}'
        ),
        {**OF_WEBHOOK},
        stream=WEBHOOK,
        version=3,
    ),
    Pinned(
        events.WebhookDeleted,
        "WebhookDeleted",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"actor_type":"system","actor_id":"webhooks"}'
        ),
        {**OF_WEBHOOK, "account_id": None},
        stream=WEBHOOK,
        version=4,
    ),
    Pinned(
        events.UsageRecorded,
        "UsageRecorded",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","conversation_ms":750000,"llm_tokens":3400,'
            '"occurred_at":"2026-12-31T23:00:00+00:00","request_id":"r-2","ip":"c2VhbGVkIGlw",'
            '"user_agent":"c2VhbGVkIGFnZW50"}'
        ),
        {
            "account_id": ACCOUNT,
            "sub_user_id": SUB_USER,
            "conversation_ms": 750_000,
            "llm_tokens": 3400,
            "occurred_at": EXPIRY,
            "request_id": "r-2",
            "ip": Sealed("c2VhbGVkIGlw"),
            "user_agent": Sealed("c2VhbGVkIGFnZW50"),
        },
        stream=ACTIVITY,
    ),
    Pinned(
        events.AuditLogRead,
        "AuditLogRead",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","actor_type":"auditor","actor_id":"key",'
            '"request_id":"r-4","ip":"c2VhbGVkIGlw","user_agent":"c2VhbGVkIGFnZW50",'
            '"wanted_action":"sub_user.activated","since":"2026-03-02T09:30:00.125000+00:00",'
            '"until":"2026-12-31T23:00:00+00:00","what":"audit_log"}'
        ),
        {
            "account_id": ACCOUNT,
            "sub_user_id": SUB_USER,
            "actor_type": ActorType.AUDITOR,
            "actor_id": "key",
            "request_id": "r-4",
            "ip": Sealed("c2VhbGVkIGlw"),
            "user_agent": Sealed("c2VhbGVkIGFnZW50"),
            "wanted_action": "sub_user.activated",
            "since": TIME,
            "until": EXPIRY,
            "what": Reading.AUDIT_LOG,
            "as_of": None,
        },
        stream=LOOK,
    ),
    Pinned(
        events.AuditLogRead,
        "AuditLogRead",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10",'
            '"actor_type":"system","actor_id":"operator","what":"history","as_of":"2026-12-31T23:00:00+00:00"}'
        ),
        {**OF_LOOK, "account_id": ACCOUNT, "what": Reading.HISTORY, "as_of": EXPIRY},
        stream=LOOK,
    ),
    Pinned(
        events.AuditLogExported,
        "AuditLogExported",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"operator",'
            '"format":"jsonl","after":0}'
        ),
        {**OF_LOOK, "format": "jsonl", "after": 0},
        stream=LOOK,
    ),
]
