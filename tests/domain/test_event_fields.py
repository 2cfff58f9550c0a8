"""Fields of events: flat, without secrets, and encrypted if they are personal."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, make_dataclass
from datetime import date, datetime
from enum import Enum
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints
from uuid import UUID

import pytest

from adapters.postgres.event_store.mapper import COLUMN_FIELDS
from domain.event_metadata import ActorType, Ciphertext, EventMetadata, ReadTarget, Via
from domain.events import ApiKeyEvent, InstallationEvent, ReportedEvent
from domain.plan import Resource
from domain.second_factor import SecondFactorKind, SecondFactorPolicy, VerificationMethod
from domain.sub_user import CredentialsMailState, Notice
from tests.domain.event_catalog import every_event_class

if TYPE_CHECKING:
    from enum import StrEnum

PERSONAL_FIELDS = {
    "email",
    "name",
    "surname",
    "company_name",
    "external_id",
    "ip",
    "user_agent",
    "reason",
    "actor_person",
    "reply",
    "target",
    "details",
    "description",
    "resource_label",
}
NON_PERSONAL_FIELDS = {
    *("originator_topic", "actor_id", "actor_api_key_id", "request_id", "email_hash", "language", "why", "action"),
    *("wanted_action", "wanted_actor_type", "wanted_actor_id", "format", "scope", "allowed_addresses", "accounts"),
    *("permissions", "actions", "definitions", "resource_type", "resource_id"),
}
SECRET_WORDS = ("password_hash", "token", "key", "secret")
FIELDS_WITHOUT_SECRET = {"llm_tokens", "included_tokens", "api_key_id", "former_api_key_id", "actor_api_key_id"}
"""Language model tokens, and ids, which grant no access."""
FLAT_TYPES = (UUID, str, int, bool, date, datetime, Enum)


def field_types(event_class: type) -> dict[str, Any]:
    """Return the types of an event's stored fields, without the None of optional ones."""
    assert is_dataclass(event_class)
    hints = get_type_hints(event_class)
    stored = [field.name for field in fields(event_class) if field.name not in COLUMN_FIELDS]
    return {name: without_none(hints[name]) for name in stored}


def without_none(hint: Any) -> Any:
    """Return `T` for `T | None`, and any other type unchanged."""
    other_types = [argument for argument in get_args(hint) if argument is not NoneType]
    is_optional = NoneType in get_args(hint) and len(other_types) == 1
    return other_types[0] if is_optional else hint


def nested_fields(event_class: type) -> set[str]:
    """Return the names of the fields whose type is not primitive."""
    return {
        name
        for name, hint in field_types(event_class).items()
        if hint is not Ciphertext and not (isinstance(hint, type) and issubclass(hint, FLAT_TYPES))
    }


@pytest.mark.parametrize(
    ("enum", "stored"),
    [
        (ActorType, "main_account sub_user support system anonymous auditor"),
        (Notice, "none activation reactivation send_again reset password_changed email_changed invitation"),
        (CredentialsMailState, "none pending sent failed"),
        (Via, "password link passkey"),
        (SecondFactorKind, "totp passkey"),
        (SecondFactorPolicy, "optional required"),
        (VerificationMethod, "totp passkey recovery_code"),
        (Resource, "conversation_ms llm_tokens"),
        (ReadTarget, "audit_log history"),
    ],
    ids=[
        "actor types",
        "notices",
        "mail states",
        "authentication methods",
        "factor kinds",
        "policies",
        "verification methods",
        "resources",
        "readings",
    ],
)
def test_stored_enum_values_never_change(enum: type[StrEnum], stored: str) -> None:
    """Events and snapshots contain them: values may be added, but not changed."""
    assert [str(word) for word in enum] == stored.split()


@every_event_class
def test_no_event_has_a_field_for_a_secret(event_class: type) -> None:
    """Covers passwords, password hashes, tokens and keys."""
    names = set(field_types(event_class)) - FIELDS_WITHOUT_SECRET
    assert [name for name in names if any(secret in name for secret in SECRET_WORDS)] == []


@every_event_class
def test_personal_fields_are_encrypted(event_class: type) -> None:
    """Every text field is either personal and encrypted, or listed as not personal."""
    texts = {name: hint for name, hint in field_types(event_class).items() if hint in {str, Ciphertext}}
    assert set(texts) - PERSONAL_FIELDS - NON_PERSONAL_FIELDS == set(), (
        "add the field to PERSONAL_FIELDS or NON_PERSONAL_FIELDS"
    )
    assert {name for name, hint in texts.items() if hint is Ciphertext} == set(texts) & PERSONAL_FIELDS


@every_event_class
def test_event_is_flat(event_class: type) -> None:
    """Readers in any language can decode its primitive fields."""
    assert nested_fields(event_class) == set()


@pytest.mark.parametrize("hint", [list[str], dict[str, str], list[str] | None, tuple[str, ...], str | int, list])
def test_nested_field_is_reported(hint: Any) -> None:
    """Validates the test above."""
    event_class = make_dataclass("TestedEvent", [("flat", str | None), ("tested", hint)])
    assert nested_fields(event_class) == {"tested"}


@every_event_class
def test_event_has_its_metadata(event_class: type) -> None:
    """Actor, origin and reason. Reports are about their actor; events of API keys come from the command line."""
    absent = {"actor_type", "actor_id"} if issubclass(event_class, ReportedEvent) else set[str]()
    absent |= {"reason", "actor_api_key_id", "actor_person"} if issubclass(event_class, ApiKeyEvent) else set()
    absent |= {"reason", "actor_person"} if issubclass(event_class, InstallationEvent) else set()
    assert {field.name for field in fields(EventMetadata)} - absent <= set(field_types(event_class))
