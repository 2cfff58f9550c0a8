"""The data key that encrypts each personal field, which decides when the field becomes unreadable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from eventsourcing.utils import resolve_topic

from domain import events
from domain.event_metadata import ActorType, EventMetadata
from domain.events import METADATA_FIELDS
from tests.domain.event_builders import MARIA, REGISTERED, created, erased, login_refused
from tests.domain.given_when_then import ACCOUNT, NOW

if TYPE_CHECKING:
    from tests.domain.given_when_then import EventSpec

ACCOUNT_ACTORS = [ActorType.MAIN_ACCOUNT, ActorType.SUPPORT, ActorType.SYSTEM]
SUB_USER_ACTORS = [ActorType.SUB_USER, ActorType.ANONYMOUS]
every_metadata_field = pytest.mark.parametrize("field", sorted(METADATA_FIELDS))


def event_by(actor_type: ActorType, spec: EventSpec) -> Any:
    position = {"originator_id": ACCOUNT, "originator_version": 1, "timestamp": NOW}
    return resolve_topic(spec.topic)(**position, **vars(EventMetadata(actor_type)), **spec.fields)


def test_encrypted_metadata_fields() -> None:
    assert {"ip", "user_agent", "reason", "actor_person"} == METADATA_FIELDS


@pytest.mark.parametrize("actor_type", ActorType)
def test_fields_of_a_sub_user_use_their_key(actor_type: ActorType) -> None:
    """Regardless of the actor, the fields become unreadable when the sub-user is erased."""
    event = event_by(actor_type, created(MARIA))
    assert [event.key_owner_id(field) for field in ("email", "name", "surname")] == [MARIA] * 3


@every_metadata_field
@pytest.mark.parametrize("actor_type", ACCOUNT_ACTORS)
def test_metadata_of_the_owner_uses_the_owners_key(actor_type: ActorType, field: str) -> None:
    """It stays readable when the sub-user in the event is erased."""
    assert event_by(actor_type, created(MARIA)).key_owner_id(field) == ACCOUNT


@every_metadata_field
@pytest.mark.parametrize("actor_type", SUB_USER_ACTORS)
def test_metadata_of_a_sub_user_uses_their_key(actor_type: ActorType, field: str) -> None:
    """Anonymous attempts to log in as the sub-user count as theirs."""
    assert event_by(actor_type, login_refused(MARIA, "wrong_password", 1)).key_owner_id(field) == MARIA


@pytest.mark.parametrize("field", ["email", "company_name", "ip"])
@pytest.mark.parametrize("actor_type", ActorType)
def test_events_without_a_sub_user_use_the_owners_key(actor_type: ActorType, field: str) -> None:
    assert event_by(actor_type, REGISTERED).key_owner_id(field) == ACCOUNT
    assert event_by(actor_type, login_refused(None, "unknown", 1)).key_owner_id("ip") == ACCOUNT


@pytest.mark.parametrize("field", ["target", "details", "ip", "user_agent"])
def test_activities_use_the_sub_users_key(field: str) -> None:
    activity = events.SubUserActivityRecorded(
        originator_id=uuid4(),
        originator_version=1,
        timestamp=NOW,
        account_id=ACCOUNT,
        sub_user_id=MARIA,
        action="report.read",
        target=None,
        details=None,
        occurred_at=NOW,
        request_id=None,
        ip=None,
        user_agent=None,
        reason=None,
        actor_api_key_id=None,
        actor_person=None,
    )
    assert activity.key_owner_id(field) == MARIA


def test_event_has_its_account_and_subject() -> None:
    """Projections and published events depend on both."""
    about_maria, about_account = event_by(ActorType.SYSTEM, erased(MARIA)), event_by(ActorType.SYSTEM, REGISTERED)
    assert (about_maria.account_id, about_maria.subject_id) == (ACCOUNT, MARIA)
    assert (about_account.account_id, about_account.subject_id) == (ACCOUNT, None)
