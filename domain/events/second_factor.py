"""Events of second factors. `sub_user_id` is None for the account's owner."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from domain.event_metadata import Ciphertext
from domain.events import ocsf
from domain.events.base import Event
from domain.events.descriptor import EventDescriptor
from domain.second_factor import SecondFactorKind, SecondFactorPolicy, VerificationMethod


class SecondFactorAdded(Event):
    """A person added a second factor. A passkey that `signs_in_alone` also replaces the password."""

    TOPIC: ClassVar[str] = "SecondFactorAdded"
    DESCRIPTOR = EventDescriptor(
        "person.second_factor_added",
        "A person added a second factor to their sign-in: an authenticator app or a passkey.",
        facts=("factor_id", "kind", "signs_in_alone"),
        ocsf=ocsf.ENABLE_FACTOR,
    )
    sub_user_id: UUID | None
    factor_id: UUID
    kind: SecondFactorKind
    name: Ciphertext
    signs_in_alone: bool


class SecondFactorRemoved(Event):
    """A person removed a second factor. `remaining` is the number that they still have."""

    TOPIC: ClassVar[str] = "SecondFactorRemoved"
    DESCRIPTOR = EventDescriptor(
        "person.second_factor_removed",
        "A person removed one of their second factors. `remaining` is the number that they still have.",
        facts=("factor_id", "remaining"),
        ocsf=ocsf.DISABLE_FACTOR,
    )
    sub_user_id: UUID | None
    factor_id: UUID
    remaining: int


class SecondFactorsReset(Event):
    """The owner removed all second factors of a sub-user, or support those of the owner, with the recovery codes."""

    TOPIC: ClassVar[str] = "SecondFactorsReset"
    DESCRIPTOR = EventDescriptor(
        "person.second_factors_reset",
        "All second factors and recovery codes of a person were removed, and their sessions ended: of a sub-user by "
        "the owner, or of the owner by support.",
        ocsf=ocsf.DISABLE_FACTOR,
    )
    sub_user_id: UUID | None


class RecoveryCodesIssued(Event):
    """A person got new recovery codes. The former ones are void."""

    TOPIC: ClassVar[str] = "RecoveryCodesIssued"
    DESCRIPTOR = EventDescriptor(
        "person.recovery_codes_issued",
        "A person got new recovery codes. The former ones are void.",
        facts=("count",),
        ocsf=ocsf.OTHER_CHANGE,
    )
    sub_user_id: UUID | None
    count: int


class SecondFactorVerified(Event):
    """A person proved a second factor, which opened a session in place of the former one.

    Without a former session, they signed in with a passkey alone. `remaining_codes` is set after a recovery code.
    """

    TOPIC: ClassVar[str] = "SecondFactorVerified"
    DESCRIPTOR = EventDescriptor(
        "person.second_factor_verified",
        "A person proved a second factor, which opened a session in place of the former one. `remaining_codes` are the "
        "recovery codes that are left after one was used.",
        facts=("method", "factor_id", "former_session_id", "session_id", "remaining_codes"),
        ocsf=ocsf.LOGON,
    )
    sub_user_id: UUID | None
    method: VerificationMethod
    factor_id: UUID | None
    former_session_id: UUID | None
    session_id: UUID
    remaining_codes: int | None


class SecondFactorRefused(Event):
    """A second factor was refused. Not every refusal is recorded; `failures` counts all of them in a row."""

    TOPIC: ClassVar[str] = "SecondFactorRefused"
    DESCRIPTOR = EventDescriptor(
        "person.second_factor_refused",
        "A second factor was refused. Of many failures in a row, only the first few and then ever fewer are published.",
        facts=("method", "why", "failures"),
        ocsf=ocsf.REFUSED_LOGON,
    )
    sub_user_id: UUID | None
    method: VerificationMethod
    why: str
    failures: int


class SecondFactorPolicySet(Event):
    """The account's policy on second factors changed."""

    TOPIC: ClassVar[str] = "SecondFactorPolicySet"
    DESCRIPTOR = EventDescriptor(
        "main_account.second_factor_policy_set",
        "The account's policy on second factors changed: whether everybody needs one.",
        facts=("policy",),
        ocsf=ocsf.UPDATE_ENTITY,
    )
    policy: SecondFactorPolicy
