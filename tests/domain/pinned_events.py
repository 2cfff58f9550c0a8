"""A history of one account, and standalone events, each exactly as the store holds it.

Everything here is stored permanently, so topics and payloads must never be changed or removed. A class may be
renamed; its stored rows keep their topic. A field may be added; the existing rows then read it as None, and a new row
pins the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import resolve_topic

from domain import events
from domain.event_metadata import ActorType, Ciphertext, ReadTarget, Via
from domain.mails import LinkPurpose, SecurityNotice
from domain.plan import Resource
from domain.second_factor import SecondFactorKind, SecondFactorPolicy, VerificationMethod
from domain.sub_user import Notice

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEventProtocol

ACCOUNT = UUID("3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10")
SUB_USER = UUID("7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978")
SESSION = UUID("c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b")
ACTIVITY = UUID("e0a1b2c3-d4e5-4f60-8a7b-9c0d1e2f3a4b")
WEBHOOK = UUID("5d2c1b0a-9f8e-4d7c-8b6a-594837261504")
API_KEY = UUID("0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0")
ROLE = UUID("2e9c1d7a-4b60-4f3e-9d21-8c7b6a594837")
GRANT = UUID("6b3f0e9d-8c7a-4b5e-a1d2-f3e4d5c6b7a8")
FACTOR = UUID("4e1f7a2b-9c3d-4a5e-8b6f-7c8d9e0f1a2b")
ACTIVITY_TYPES = UUID("1f6c0f0e-8a0b-5d57-b2a4-6d2f2b6f3c11")
CATALOGUE = UUID("5b5e9ac4-3c3b-5d0e-9a55-7b6a4b0f0a00")
ACCESS = UUID("9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d")
TIME = datetime(2026, 3, 2, 9, 30, 0, 125000, tzinfo=UTC)
EXPIRY = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)

NO_METADATA = dict.fromkeys(
    ("actor_id", "request_id", "ip", "user_agent", "reason", "actor_api_key_id", "actor_person")
)
NO_SENDER = dict.fromkeys(("reason", "actor_api_key_id", "actor_person"))
SENDER = {
    "reason": Ciphertext("c2VhbGVkIHJlYXNvbg"),
    "actor_api_key_id": "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",
    "actor_person": Ciphertext("c2VhbGVkIHBlcnNvbg"),
}
SENDER_STATE = (
    '"reason":"c2VhbGVkIHJlYXNvbg","actor_api_key_id":"0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",'
    '"actor_person":"c2VhbGVkIHBlcnNvbg"'
)
OWNER_METADATA = {**NO_METADATA, "actor_type": ActorType.MAIN_ACCOUNT, "actor_id": "portal"}
SUPPORT_METADATA = {
    **OWNER_METADATA,
    "actor_type": ActorType.SUPPORT,
    "actor_id": "desk",
    "reason": Ciphertext("c2VhbGVkIHJlYXNvbg"),
}
SYSTEM_METADATA = {**NO_METADATA, "actor_type": ActorType.SYSTEM, "actor_id": "mailer"}
SUB_USER_METADATA = {
    **NO_METADATA,
    "actor_type": ActorType.SUB_USER,
    "actor_id": "7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",
}
ACCESS_METADATA = {
    **NO_SENDER,
    **dict.fromkeys(("account_id", "sub_user_id", "request_id", "ip", "user_agent", "wanted_action", "since", "until")),
    **dict.fromkeys(("wanted_actor_type", "wanted_actor_id")),
    "actor_type": ActorType.SYSTEM,
    "actor_id": "operator",
}
WEBHOOK_METADATA = {
    **NO_SENDER,
    **dict.fromkeys(("request_id", "ip", "user_agent")),
    "webhook_id": WEBHOOK,
    "account_id": ACCOUNT,
    "actor_type": ActorType.SYSTEM,
    "actor_id": "webhooks",
}
API_KEY_METADATA = {
    **dict.fromkeys(("request_id", "ip", "user_agent")),
    "api_key_id": API_KEY,
    "actor_type": ActorType.SYSTEM,
    "actor_id": "operator",
}
ANONYMOUS_METADATA = {**NO_METADATA, "actor_type": ActorType.ANONYMOUS, "ip": Ciphertext("c2VhbGVkIGlw")}


@dataclass(frozen=True)
class PinnedEvent:
    """An event in its stored form, and the values of the event's fields."""

    event_class: type
    topic: str
    payload: str
    fields: dict[str, Any]
    stream: UUID = ACCOUNT
    version: int = 1

    @property
    def event(self) -> DomainEventProtocol[UUID]:
        position = {"originator_id": self.stream, "originator_version": self.version, "timestamp": TIME}
        event: DomainEventProtocol[UUID] = resolve_topic(self.topic)(**position, **self.fields)
        return event

    @property
    def stored(self) -> StoredEvent:
        return StoredEvent(self.stream, self.version, self.topic, self.payload.encode())


HISTORY = [
    PinnedEvent(
        events.MainAccountRegistered,
        "MainAccountRegistered",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","originator_topic":"MainAccount",'
            '"actor_type":"main_account","actor_id":"portal","request_id":"r-1","ip":"c2VhbGVkIGlw",'
            '"user_agent":"c2VhbGVkIGFnZW50","email":"c2VhbGVkIGVtYWls","email_hash":"9b2c1f",'
            '"company_name":"c2VhbGVkIGNvbXBhbnk","language":"en","sub_user_limit":10}'
        ),
        {
            **OWNER_METADATA,
            "request_id": "r-1",
            "ip": Ciphertext("c2VhbGVkIGlw"),
            "user_agent": Ciphertext("c2VhbGVkIGFnZW50"),
            "originator_topic": "MainAccount",
            "email": Ciphertext("c2VhbGVkIGVtYWls"),
            "email_hash": "9b2c1f",
            "company_name": Ciphertext("c2VhbGVkIGNvbXBhbnk"),
            "language": "en",
            "sub_user_limit": 10,
            "external_id": None,
        },
        version=1,
    ),
    PinnedEvent(
        events.MainAccountDetailsChanged,
        "MainAccountDetailsChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"email":"bmV3IGVtYWls","email_hash":"4e7d0a","company_name":"bmV3IGNvbXBhbnk","language":"it",'
            '"password_changed":false}'
        ),
        {
            **OWNER_METADATA,
            "email": Ciphertext("bmV3IGVtYWls"),
            "email_hash": "4e7d0a",
            "company_name": Ciphertext("bmV3IGNvbXBhbnk"),
            "language": "it",
            "password_changed": False,
        },
        version=2,
    ),
    PinnedEvent(
        events.MainAccountDetailsChanged,
        "MainAccountDetailsChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"password_changed":true}'
        ),
        {
            **OWNER_METADATA,
            "email": None,
            "email_hash": None,
            "company_name": None,
            "language": None,
            "password_changed": True,
        },
        version=3,
    ),
    PinnedEvent(
        events.SubUserLimitRaised,
        "SubUserLimitRaised",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"support","actor_id":"desk",'
            '"reason":"c2VhbGVkIHJlYXNvbg","sub_user_limit":25}'
        ),
        {**SUPPORT_METADATA, "sub_user_limit": 25},
        version=4,
    ),
    PinnedEvent(
        events.SubUserCreated,
        "SubUserCreated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","email":"ZW1haWw","email_hash":"77ab10",'
            '"name":"bmFtZQ","surname":"c3VybmFtZQ","visible":true}'
        ),
        {
            **OWNER_METADATA,
            "sub_user_id": SUB_USER,
            "email": Ciphertext("ZW1haWw"),
            "email_hash": "77ab10",
            "name": Ciphertext("bmFtZQ"),
            "surname": Ciphertext("c3VybmFtZQ"),
            "visible": True,
            "access_expires_at": None,
        },
        version=5,
    ),
    PinnedEvent(
        events.SubUserDetailsChanged,
        "SubUserDetailsChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","name":"bmV3IG5hbWU","surname":"bmV3IHN1cm5hbWU"}'
        ),
        {
            **OWNER_METADATA,
            "sub_user_id": SUB_USER,
            "name": Ciphertext("bmV3IG5hbWU"),
            "surname": Ciphertext("bmV3IHN1cm5hbWU"),
        },
        version=6,
    ),
    PinnedEvent(
        events.SubUserVisibilityChanged,
        "SubUserVisibilityChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","visible":false}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER, "visible": False},
        version=7,
    ),
    PinnedEvent(
        events.SubUserAccessExpirySet,
        "SubUserAccessExpirySet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","access_expires_at":"2026-12-31T23:00:00+00:00"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER, "access_expires_at": EXPIRY},
        version=8,
    ),
    PinnedEvent(
        events.SubUserAccessExpirySet,
        "SubUserAccessExpirySet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER, "access_expires_at": None},
        version=9,
    ),
    PinnedEvent(
        events.SubUserActivated,
        "SubUserActivated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","credentials":1,"notice":"activation"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER, "credentials": 1, "notice": Notice.ACTIVATION},
        version=10,
    ),
    PinnedEvent(
        events.CredentialsMailFailed,
        "CredentialsMailFailed",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"mailer",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","notice":"activation","caused_by":10,'
            '"reply":"NTUwIG5v"}'
        ),
        {
            **SYSTEM_METADATA,
            "sub_user_id": SUB_USER,
            "notice": Notice.ACTIVATION,
            "caused_by": 10,
            "reply": Ciphertext("NTUwIG5v"),
        },
        version=11,
    ),
    PinnedEvent(
        events.SubUserLoginRefused,
        "SubUserLoginRefused",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","why":"wrong_password","failures":64}'
        ),
        {**ANONYMOUS_METADATA, "sub_user_id": SUB_USER, "why": "wrong_password", "failures": 64},
        version=12,
    ),
    PinnedEvent(
        events.SubUserLoginRefused,
        "SubUserLoginRefused",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw",'
            '"why":"unknown","failures":1}'
        ),
        {**ANONYMOUS_METADATA, "sub_user_id": None, "why": "unknown", "failures": 1},
        version=13,
    ),
    PinnedEvent(
        events.SubUserLockedOut,
        "SubUserLockedOut",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","failures":100}'
        ),
        {**ANONYMOUS_METADATA, "sub_user_id": SUB_USER, "failures": 100},
        version=14,
    ),
    PinnedEvent(
        events.SubUserPasswordReset,
        "SubUserPasswordReset",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","credentials":2,"notice":"send_again"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER, "credentials": 2, "notice": Notice.SEND_AGAIN},
        version=15,
    ),
    PinnedEvent(
        events.SubUserUnlocked,
        "SubUserUnlocked",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER},
        version=16,
    ),
    PinnedEvent(
        events.CredentialsMailed,
        "CredentialsMailed",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"mailer",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","notice":"send_again","caused_by":15,'
            '"reply":"MjUwIG9r"}'
        ),
        {
            **SYSTEM_METADATA,
            "sub_user_id": SUB_USER,
            "notice": Notice.SEND_AGAIN,
            "caused_by": 15,
            "reply": Ciphertext("MjUwIG9r"),
        },
        version=17,
    ),
    PinnedEvent(
        events.SubUserLoggedIn,
        "SubUserLoggedIn",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"sub_user",'
            '"actor_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b","with_temporary_password":true}'
        ),
        {**SUB_USER_METADATA, "sub_user_id": SUB_USER, "session_id": SESSION, "with_temporary_password": True},
        version=18,
    ),
    PinnedEvent(
        events.SubUserPasswordChanged,
        "SubUserPasswordChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"sub_user",'
            '"actor_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",'
            '"credentials":3}'
        ),
        {**SUB_USER_METADATA, "sub_user_id": SUB_USER, "credentials": 3},
        version=19,
    ),
    PinnedEvent(
        events.SubUserLoggedOut,
        "SubUserLoggedOut",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"sub_user",'
            '"actor_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b"}'
        ),
        {**SUB_USER_METADATA, "sub_user_id": SUB_USER, "session_id": SESSION},
        version=20,
    ),
    PinnedEvent(
        events.SubUserLoggedOut,
        "SubUserLoggedOut",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER, "session_id": None},
        version=21,
    ),
    PinnedEvent(
        events.SubUserDeactivated,
        "SubUserDeactivated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER},
        version=22,
    ),
    PinnedEvent(
        events.SubUserDeleted,
        "SubUserDeleted",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER},
        version=23,
    ),
    PinnedEvent(
        events.PersonalDataErased,
        "PersonalDataErased",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER},
        version=24,
    ),
    PinnedEvent(
        events.MainAccountLoginRefused,
        "MainAccountLoginRefused",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw",'
            '"why":"wrong_password","failures":8}'
        ),
        {**ANONYMOUS_METADATA, "why": "wrong_password", "failures": 8},
        version=25,
    ),
    PinnedEvent(
        events.MainAccountLoggedIn,
        "MainAccountLoggedIn",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b","via":"password"}'
        ),
        {**OWNER_METADATA, "session_id": SESSION, "via": Via.PASSWORD},
        version=26,
    ),
    PinnedEvent(
        events.MainAccountLoggedOut,
        "MainAccountLoggedOut",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b"}'
        ),
        {**OWNER_METADATA, "session_id": SESSION},
        version=27,
    ),
    PinnedEvent(
        events.MainAccountLoggedIn,
        "MainAccountLoggedIn",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b","via":"link"}'
        ),
        {**OWNER_METADATA, "session_id": SESSION, "via": Via.LINK},
        version=28,
    ),
    PinnedEvent(
        events.MainAccountLoggedOut,
        "MainAccountLoggedOut",
        ('{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal"}'),
        {**OWNER_METADATA, "session_id": None},
        version=29,
    ),
    PinnedEvent(
        events.MainAccountClosed,
        "MainAccountClosed",
        ('{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal"}'),
        {**OWNER_METADATA},
        version=30,
    ),
    PinnedEvent(
        events.PersonalDataErased,
        "PersonalDataErased",
        ('{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal"}'),
        {**OWNER_METADATA, "sub_user_id": None},
        version=31,
    ),
    PinnedEvent(
        events.MainAccountPlanSet,
        "MainAccountPlanSet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"included_minutes":1000,"included_tokens":2000000,"period_start":"2026-02-28"}'
        ),
        {**OWNER_METADATA, "included_minutes": 1000, "included_tokens": 2_000_000, "period_start": date(2026, 2, 28)},
        version=32,
    ),
    PinnedEvent(
        events.UsageThresholdReached,
        "UsageThresholdReached",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"mailer",'
            '"resource":"conversation_ms","threshold":80,"period_start":"2026-02-28","used":48000060,'
            '"included":60000000}'
        ),
        {
            **SYSTEM_METADATA,
            "resource": Resource.CONVERSATION,
            "threshold": 80,
            "period_start": date(2026, 2, 28),
            "used": 48_000_060,
            "included": 60_000_000,
        },
        version=33,
    ),
    PinnedEvent(
        events.SubUserCreated,
        "SubUserCreated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","email":"ZW1haWw","email_hash":"77ab10",'
            '"name":"bmFtZQ","surname":"c3VybmFtZQ","visible":true}'
        ),
        {
            **OWNER_METADATA,
            "sub_user_id": SUB_USER,
            "email": Ciphertext("ZW1haWw"),
            "email_hash": "77ab10",
            "name": Ciphertext("bmFtZQ"),
            "surname": Ciphertext("c3VybmFtZQ"),
            "visible": True,
            "access_expires_at": None,
        },
        version=34,
    ),
    PinnedEvent(
        events.RoleCreated,
        "RoleCreated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"role_id":"2e9c1d7a-4b60-4f3e-9d21-8c7b6a594837","name":"c2VhbGVkIG5hbWU",'
            '"description":"c2VhbGVkIGRlc2NyaXB0aW9u","permissions":"assistants reports"}'
        ),
        {
            **OWNER_METADATA,
            "role_id": ROLE,
            "name": Ciphertext("c2VhbGVkIG5hbWU"),
            "description": Ciphertext("c2VhbGVkIGRlc2NyaXB0aW9u"),
            "permissions": "assistants reports",
        },
        version=35,
    ),
    PinnedEvent(
        events.RoleGranted,
        "RoleGranted",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","grant_id":"6b3f0e9d-8c7a-4b5e-a1d2-f3e4d5c6b7a8",'
            '"role_id":"2e9c1d7a-4b60-4f3e-9d21-8c7b6a594837","resource_type":"assistant","resource_id":"a-1",'
            '"resource_label":"c2VhbGVkIGxhYmVs","expires_at":"2026-12-31T23:00:00+00:00"}'
        ),
        {
            **OWNER_METADATA,
            "sub_user_id": SUB_USER,
            "grant_id": GRANT,
            "role_id": ROLE,
            "resource_type": "assistant",
            "resource_id": "a-1",
            "resource_label": Ciphertext("c2VhbGVkIGxhYmVs"),
            "expires_at": EXPIRY,
        },
        version=36,
    ),
    PinnedEvent(
        events.RoleChanged,
        "RoleChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"role_id":"2e9c1d7a-4b60-4f3e-9d21-8c7b6a594837","permissions":"assistants"}'
        ),
        {**OWNER_METADATA, "role_id": ROLE, "name": None, "description": None, "permissions": "assistants"},
        version=37,
    ),
    PinnedEvent(
        events.RoleRevoked,
        "RoleRevoked",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","grant_id":"6b3f0e9d-8c7a-4b5e-a1d2-f3e4d5c6b7a8",'
            '"role_id":"2e9c1d7a-4b60-4f3e-9d21-8c7b6a594837","resource_type":"assistant","resource_id":"a-1"}'
        ),
        {
            **OWNER_METADATA,
            "sub_user_id": SUB_USER,
            "grant_id": GRANT,
            "role_id": ROLE,
            "resource_type": "assistant",
            "resource_id": "a-1",
        },
        version=38,
    ),
    PinnedEvent(
        events.RoleDeleted,
        "RoleDeleted",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"role_id":"2e9c1d7a-4b60-4f3e-9d21-8c7b6a594837"}'
        ),
        {**OWNER_METADATA, "role_id": ROLE},
        version=39,
    ),
    PinnedEvent(
        events.SubUserDeleted,
        "SubUserDeleted",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER},
        version=40,
    ),
    PinnedEvent(
        events.PasswordResetPolicySet,
        "PasswordResetPolicySet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"allowed":false}'
        ),
        {**OWNER_METADATA, "allowed": False},
        version=41,
    ),
    PinnedEvent(
        events.PasswordResetRequested,
        "PasswordResetRequested",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**ANONYMOUS_METADATA, "sub_user_id": SUB_USER},
        version=42,
    ),
    PinnedEvent(
        events.PasswordResetRequested,
        "PasswordResetRequested",
        ('{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw"}'),
        {**ANONYMOUS_METADATA, "sub_user_id": None},
        version=43,
    ),
    PinnedEvent(
        events.PasswordResetForwarded,
        "PasswordResetForwarded",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"anonymous","ip":"c2VhbGVkIGlw",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**ANONYMOUS_METADATA, "sub_user_id": SUB_USER},
        version=44,
    ),
    PinnedEvent(
        events.LinkUsed,
        "LinkUsed",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"sub_user","actor_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","purpose":"password_reset"}'
        ),
        {**SUB_USER_METADATA, "sub_user_id": SUB_USER, "purpose": LinkPurpose.PASSWORD_RESET},
        version=45,
    ),
    PinnedEvent(
        events.NoticeMailed,
        "NoticeMailed",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"mailer",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","notice":"password_reset","caused_by":41,"reply":"c2VhbGVkIHJlcGx5"}'
        ),
        {
            **SYSTEM_METADATA,
            "sub_user_id": SUB_USER,
            "notice": SecurityNotice.PASSWORD_RESET,
            "caused_by": 41,
            "reply": Ciphertext("c2VhbGVkIHJlcGx5"),
        },
        version=46,
    ),
    PinnedEvent(
        events.NoticeMailFailed,
        "NoticeMailFailed",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"mailer",'
            '"notice":"password_reset","caused_by":42,"reply":"c2VhbGVkIHJlcGx5"}'
        ),
        {
            **SYSTEM_METADATA,
            "sub_user_id": None,
            "notice": SecurityNotice.PASSWORD_RESET,
            "caused_by": 42,
            "reply": Ciphertext("c2VhbGVkIHJlcGx5"),
        },
        version=47,
    ),
    PinnedEvent(
        events.SecondFactorPolicySet,
        "SecondFactorPolicySet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"policy":"required"}'
        ),
        {**OWNER_METADATA, "policy": SecondFactorPolicy.REQUIRED},
        version=48,
    ),
    PinnedEvent(
        events.SecondFactorAdded,
        "SecondFactorAdded",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"factor_id":"4e1f7a2b-9c3d-4a5e-8b6f-7c8d9e0f1a2b","kind":"totp","name":"c2VhbGVkIG5hbWU",'
            '"signs_in_alone":false}'
        ),
        {
            **OWNER_METADATA,
            "sub_user_id": None,
            "factor_id": FACTOR,
            "kind": SecondFactorKind.TOTP,
            "name": Ciphertext("c2VhbGVkIG5hbWU"),
            "signs_in_alone": False,
        },
        version=49,
    ),
    PinnedEvent(
        events.RecoveryCodesIssued,
        "RecoveryCodesIssued",
        ('{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal","count":10}'),
        {**OWNER_METADATA, "sub_user_id": None, "count": 10},
        version=50,
    ),
    PinnedEvent(
        events.SecondFactorVerified,
        "SecondFactorVerified",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"method":"recovery_code","former_session_id":"e0a1b2c3-d4e5-4f60-8a7b-9c0d1e2f3a4b",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b","remaining_codes":9}'
        ),
        {
            **OWNER_METADATA,
            "sub_user_id": None,
            "method": VerificationMethod.RECOVERY_CODE,
            "factor_id": None,
            "former_session_id": ACTIVITY,
            "session_id": SESSION,
            "remaining_codes": 9,
        },
        version=51,
    ),
    PinnedEvent(
        events.SecondFactorRefused,
        "SecondFactorRefused",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"method":"totp","why":"wrong_code","failures":1}'
        ),
        {
            **OWNER_METADATA,
            "sub_user_id": None,
            "method": VerificationMethod.TOTP,
            "why": "wrong_code",
            "failures": 1,
        },
        version=52,
    ),
    PinnedEvent(
        events.SecondFactorRemoved,
        "SecondFactorRemoved",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"factor_id":"4e1f7a2b-9c3d-4a5e-8b6f-7c8d9e0f1a2b","remaining":0}'
        ),
        {**OWNER_METADATA, "sub_user_id": None, "factor_id": FACTOR, "remaining": 0},
        version=53,
    ),
    PinnedEvent(
        events.SecondFactorAdded,
        "SecondFactorAdded",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"factor_id":"4e1f7a2b-9c3d-4a5e-8b6f-7c8d9e0f1a2b","kind":"passkey","name":"c2VhbGVkIG5hbWU",'
            '"signs_in_alone":true}'
        ),
        {
            **OWNER_METADATA,
            "sub_user_id": None,
            "factor_id": FACTOR,
            "kind": SecondFactorKind.PASSKEY,
            "name": Ciphertext("c2VhbGVkIG5hbWU"),
            "signs_in_alone": True,
        },
        version=54,
    ),
    PinnedEvent(
        events.SecondFactorsReset,
        "SecondFactorsReset",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"support","actor_id":"desk",'
            '"reason":"c2VhbGVkIHJlYXNvbg"}'
        ),
        {**SUPPORT_METADATA, "sub_user_id": None},
        version=55,
    ),
    PinnedEvent(
        events.NewDeviceSignedIn,
        "NewDeviceSignedIn",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b"}'
        ),
        {**OWNER_METADATA, "sub_user_id": None, "session_id": SESSION},
        version=56,
    ),
    PinnedEvent(
        events.MainAccountEmailChangeRequested,
        "MainAccountEmailChangeRequested",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"email":"c2VhbGVkIG5ldyBlbWFpbA==","email_hash":"new hash","expires_at":"2026-12-31T23:00:00+00:00"}'
        ),
        {
            **OWNER_METADATA,
            "email": Ciphertext("c2VhbGVkIG5ldyBlbWFpbA=="),
            "email_hash": "new hash",
            "expires_at": EXPIRY,
        },
        version=57,
    ),
    PinnedEvent(
        events.MainAccountFormerEmailKept,
        "MainAccountFormerEmailKept",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"email":"c2VhbGVkIG9sZCBlbWFpbA==","email_hash":"old hash","kept_until":"2026-12-31T23:00:00+00:00"}'
        ),
        {
            **OWNER_METADATA,
            "email": Ciphertext("c2VhbGVkIG9sZCBlbWFpbA=="),
            "email_hash": "old hash",
            "kept_until": EXPIRY,
        },
        version=58,
    ),
    PinnedEvent(
        events.MainAccountEmailChangeUndone,
        "MainAccountEmailChangeUndone",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"kept_by":58}'
        ),
        {**OWNER_METADATA, "kept_by": 58},
        version=59,
    ),
    PinnedEvent(
        events.SignInEmailAnnounced,
        "SignInEmailAnnounced",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER},
        version=60,
    ),
]

STANDALONE_EVENTS = [
    PinnedEvent(
        events.SecondFactorVerified,
        "SecondFactorVerified",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"sub_user",'
            '"actor_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978",'
            '"method":"passkey","factor_id":"4e1f7a2b-9c3d-4a5e-8b6f-7c8d9e0f1a2b",'
            '"session_id":"c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b"}'
        ),
        {
            **SUB_USER_METADATA,
            "sub_user_id": SUB_USER,
            "method": VerificationMethod.PASSKEY,
            "factor_id": FACTOR,
            "former_session_id": None,
            "session_id": SESSION,
            "remaining_codes": None,
        },
        version=2,
    ),
    PinnedEvent(
        events.SubUserEmailChanged,
        "SubUserEmailChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","email":"bmV3IGVtYWls","email_hash":"77ab11"}'
        ),
        {**OWNER_METADATA, "sub_user_id": SUB_USER, "email": Ciphertext("bmV3IGVtYWls"), "email_hash": "77ab11"},
        version=2,
    ),
    PinnedEvent(
        events.MainAccountExternalIdSet,
        "MainAccountExternalIdSet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            '"external_id":"c2VhbGVkIGlk"}'
        ),
        {**OWNER_METADATA, "external_id": Ciphertext("c2VhbGVkIGlk")},
        version=2,
    ),
    PinnedEvent(
        events.SubUserVisibilityChanged,
        "SubUserVisibilityChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"portal",'
            f'{SENDER_STATE},"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","visible":true}}'
        ),
        {**OWNER_METADATA, **SENDER, "sub_user_id": SUB_USER, "visible": True},
        version=2,
    ),
    PinnedEvent(
        events.SubUserActivityRecorded,
        "SubUserActivityRecorded",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","action":"report.read",'
            f'"occurred_at":"2026-12-31T23:00:00+00:00",{SENDER_STATE}}}'
        ),
        {
            **dict.fromkeys(("target", "details", "request_id", "ip", "user_agent")),
            **SENDER,
            "account_id": ACCOUNT,
            "sub_user_id": SUB_USER,
            "action": "report.read",
            "occurred_at": EXPIRY,
        },
        stream=ACTIVITY,
    ),
    PinnedEvent(
        events.UsageRecorded,
        "UsageRecorded",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10",'
            '"sub_user_id":"7c1d9a52-0b1e-4b7f-8f1a-2d3c4b5a6978","conversation_ms":750000,"llm_tokens":3400,'
            f'"occurred_at":"2026-12-31T23:00:00+00:00",{SENDER_STATE}}}'
        ),
        {
            **dict.fromkeys(("request_id", "ip", "user_agent")),
            **SENDER,
            "account_id": ACCOUNT,
            "sub_user_id": SUB_USER,
            "conversation_ms": 750_000,
            "llm_tokens": 3400,
            "occurred_at": EXPIRY,
        },
        stream=ACTIVITY,
    ),
    PinnedEvent(
        events.WebhookEnabled,
        "WebhookEnabled",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10","actor_type":"main_account","actor_id":"portal",'
            f"{SENDER_STATE}}}"
        ),
        {**WEBHOOK_METADATA, **SENDER, "actor_type": ActorType.MAIN_ACCOUNT, "actor_id": "portal"},
        stream=WEBHOOK,
    ),
    PinnedEvent(
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
            "target": Ciphertext("dGFyZ2V0"),
            "details": Ciphertext("ZGV0YWlscw"),
            "occurred_at": EXPIRY,
            "request_id": "r-2",
            "ip": Ciphertext("c2VhbGVkIGlw"),
            "user_agent": Ciphertext("c2VhbGVkIGFnZW50"),
            **NO_SENDER,
        },
        stream=ACTIVITY,
    ),
    PinnedEvent(
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
            **NO_SENDER,
        },
        stream=ACTIVITY,
    ),
    PinnedEvent(
        events.WebhookCreated,
        "WebhookCreated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10","actor_type":"main_account","actor_id":"portal",'
            '"request_id":"r-3","ip":"c2VhbGVkIGlw","user_agent":"c2VhbGVkIGFnZW50"}'
        ),
        {
            **WEBHOOK_METADATA,
            "actor_type": ActorType.MAIN_ACCOUNT,
            "actor_id": "portal",
            "request_id": "r-3",
            "ip": Ciphertext("c2VhbGVkIGlw"),
            "user_agent": Ciphertext("c2VhbGVkIGFnZW50"),
        },
        stream=WEBHOOK,
    ),
    PinnedEvent(
        events.WebhookDisabled,
        "WebhookDisabled",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10","actor_type":"system","actor_id":"webhooks",'
            '"why":"failing","failures":10}'
        ),
        {**WEBHOOK_METADATA, "why": "failing", "failures": 10},
        stream=WEBHOOK,
        version=2,
    ),
    PinnedEvent(
        events.WebhookEnabled,
        "WebhookEnabled",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10","actor_type":"system","actor_id":"webhooks"}'
        ),
        {**WEBHOOK_METADATA},
        stream=WEBHOOK,
        version=3,
    ),
    PinnedEvent(
        events.WebhookDeleted,
        "WebhookDeleted",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"actor_type":"system","actor_id":"webhooks"}'
        ),
        {**WEBHOOK_METADATA, "account_id": None},
        stream=WEBHOOK,
        version=4,
    ),
    PinnedEvent(
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
            "ip": Ciphertext("c2VhbGVkIGlw"),
            "user_agent": Ciphertext("c2VhbGVkIGFnZW50"),
            **NO_SENDER,
        },
        stream=ACTIVITY,
    ),
    PinnedEvent(
        events.WebhookSecretRotated,
        "WebhookSecretRotated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10","actor_type":"system","actor_id":"webhooks"}'
        ),
        {**WEBHOOK_METADATA},
        stream=WEBHOOK,
        version=5,
    ),
    PinnedEvent(
        events.WebhookReplayed,
        "WebhookReplayed",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10","actor_type":"system","actor_id":"webhooks",'
            '"after":4711}'
        ),
        {**WEBHOOK_METADATA, "after": 4711},
        stream=WEBHOOK,
        version=6,
    ),
    PinnedEvent(
        events.WebhookAdopted,
        "WebhookAdopted",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","webhook_id":"5d2c1b0a-9f8e-4d7c-8b6a-594837261504",'
            '"account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10","actor_type":"system","actor_id":"webhooks",'
            '"api_key_id":"0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0"}'
        ),
        {**WEBHOOK_METADATA, "api_key_id": API_KEY, "former_api_key_id": None},
        stream=WEBHOOK,
        version=7,
    ),
    PinnedEvent(
        events.ApiKeyCreated,
        "ApiKeyCreated",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","api_key_id":"0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",'
            '"actor_type":"system","actor_id":"operator",'
            '"scope":"portal","expires_at":"2026-12-31T23:00:00+00:00",'
            '"allowed_addresses":"192.0.2.0/24 2001:db8::/32",'
            '"accounts":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10"}'
        ),
        {
            **API_KEY_METADATA,
            "scope": "portal",
            "expires_at": EXPIRY,
            "allowed_addresses": "192.0.2.0/24 2001:db8::/32",
            "accounts": str(ACCOUNT),
        },
        stream=API_KEY,
    ),
    PinnedEvent(
        events.ApiKeyLimitsChanged,
        "ApiKeyLimitsChanged",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","api_key_id":"0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",'
            '"actor_type":"system","actor_id":"operator",'
            '"expires_at":"2026-12-31T23:00:00+00:00"}'
        ),
        {**API_KEY_METADATA, "expires_at": EXPIRY, "allowed_addresses": None, "accounts": None},
        stream=API_KEY,
        version=2,
    ),
    PinnedEvent(
        events.ApiKeyFirstUsed,
        "ApiKeyFirstUsed",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","api_key_id":"0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",'
            '"actor_type":"system","actor_id":"operator"}'
        ),
        {**API_KEY_METADATA},
        stream=API_KEY,
        version=3,
    ),
    PinnedEvent(
        events.ApiKeyRevoked,
        "ApiKeyRevoked",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","api_key_id":"0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",'
            '"actor_type":"system","actor_id":"operator",'
            '"webhooks_disabled":2,"webhooks_handed_over":0}'
        ),
        {**API_KEY_METADATA, "webhooks_disabled": 2, "webhooks_handed_over": 0},
        stream=API_KEY,
        version=4,
    ),
    PinnedEvent(
        events.PermissionCatalogueSet,
        "PermissionCatalogueSet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system",'
            '"actor_id":"0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0","request_id":"r-5",'
            '"actor_api_key_id":"0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0","permissions":"assistants.edit",'
            '"definitions":"[{\\"name\\":\\"assistants.edit\\"}]"}'
        ),
        {
            "actor_type": ActorType.SYSTEM,
            "actor_id": "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",
            "request_id": "r-5",
            "ip": None,
            "user_agent": None,
            "actor_api_key_id": "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",
            "permissions": "assistants.edit",
            "definitions": '[{"name":"assistants.edit"}]',
        },
        stream=CATALOGUE,
    ),
    PinnedEvent(
        events.ActivityTypesSet,
        "ActivityTypesSet",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system",'
            '"actor_id":"0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0","request_id":"r-5",'
            '"actor_api_key_id":"0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0","actions":"assistant.edited",'
            '"definitions":"{\\"groups\\":[],\\"activity_types\\":[]}"}'
        ),
        {
            "actor_type": ActorType.SYSTEM,
            "actor_id": "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",
            "request_id": "r-5",
            "ip": None,
            "user_agent": None,
            "actor_api_key_id": "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",
            "actions": "assistant.edited",
            "definitions": '{"groups":[],"activity_types":[]}',
        },
        stream=ACTIVITY_TYPES,
    ),
    PinnedEvent(
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
            "ip": Ciphertext("c2VhbGVkIGlw"),
            "user_agent": Ciphertext("c2VhbGVkIGFnZW50"),
            **NO_SENDER,
            "wanted_action": "sub_user.activated",
            "since": TIME,
            "until": EXPIRY,
            "wanted_actor_type": None,
            "wanted_actor_id": None,
            "what": ReadTarget.AUDIT_LOG,
            "as_of": None,
        },
        stream=ACCESS,
    ),
    PinnedEvent(
        events.AuditLogRead,
        "AuditLogRead",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10",'
            '"actor_type":"system","actor_id":"operator",'
            '"wanted_action":"sub_user.activated, sub_user.deactivated","wanted_actor_type":"support",'
            '"wanted_actor_id":"desk","what":"audit_log"}'
        ),
        {
            **ACCESS_METADATA,
            "account_id": ACCOUNT,
            "wanted_action": "sub_user.activated, sub_user.deactivated",
            "wanted_actor_type": "support",
            "wanted_actor_id": "desk",
            "what": ReadTarget.AUDIT_LOG,
            "as_of": None,
        },
        stream=ACCESS,
    ),
    PinnedEvent(
        events.AuditLogRead,
        "AuditLogRead",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","account_id":"3f8f3b0a-5a0e-4c7e-9a55-0f2f6d1c8e10",'
            '"actor_type":"system","actor_id":"operator","what":"history","as_of":"2026-12-31T23:00:00+00:00"}'
        ),
        {**ACCESS_METADATA, "account_id": ACCOUNT, "what": ReadTarget.HISTORY, "as_of": EXPIRY},
        stream=ACCESS,
    ),
    PinnedEvent(
        events.AuditLogExported,
        "AuditLogExported",
        (
            '{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"system","actor_id":"operator",'
            '"format":"jsonl","after":0}'
        ),
        {**ACCESS_METADATA, "format": "jsonl", "after": 0},
        stream=ACCESS,
    ),
]

PINNED_EVENTS = [*HISTORY, *STANDALONE_EVENTS]
