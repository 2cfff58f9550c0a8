"""Under whose key an event's personal data is sealed: what decides when it becomes unreadable (DESIGN 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from eventsourcing.utils import resolve_topic

from domain import events
from domain.cause import ActorType, Cause
from domain.events import ORIGIN_FIELDS
from tests.domain.facts import MARIA, REGISTERED, created, erased, login_refused
from tests.domain.given_when_then import ACCOUNT, NOW

if TYPE_CHECKING:
    from tests.domain.given_when_then import Fact

OF_THE_ACCOUNT = [ActorType.MAIN_ACCOUNT, ActorType.SUPPORT, ActorType.SYSTEM]
OF_THE_SUB_USER = [ActorType.SUB_USER, ActorType.ANONYMOUS]
origin_fields = pytest.mark.parametrize("field", sorted(ORIGIN_FIELDS))


def event_by(actor_type: ActorType, one: Fact) -> Any:
    place = {"originator_id": ACCOUNT, "originator_version": 1, "timestamp": NOW}
    return resolve_topic(one.topic)(**place, **vars(Cause(actor_type)), **one.fields)


def test_the_origin_is_where_from_and_why() -> None:
    assert {"ip", "user_agent", "reason"} == ORIGIN_FIELDS


@pytest.mark.parametrize("actor_type", ActorType)
def test_what_is_known_of_a_sub_user_is_theirs(actor_type: ActorType) -> None:
    """Whoever recorded it: it becomes unreadable when they are deleted."""
    event = event_by(actor_type, created(MARIA))
    assert [event.sealed_for(field) for field in ("email", "name", "surname")] == [MARIA] * 3


@origin_fields
@pytest.mark.parametrize("actor_type", OF_THE_ACCOUNT)
def test_where_the_owner_acted_from_is_the_owners(actor_type: ActorType, field: str) -> None:
    """It stays readable when the sub-user whom it was about is deleted."""
    assert event_by(actor_type, created(MARIA)).sealed_for(field) == ACCOUNT


@origin_fields
@pytest.mark.parametrize("actor_type", OF_THE_SUB_USER)
def test_where_a_sub_user_acted_from_is_theirs(actor_type: ActorType, field: str) -> None:
    """Also where somebody acted in their name who did not prove to be them."""
    assert event_by(actor_type, login_refused(MARIA, "wrong_password", 1)).sealed_for(field) == MARIA


@pytest.mark.parametrize("field", ["email", "company_name", "ip"])
@pytest.mark.parametrize("actor_type", ActorType)
def test_what_is_about_no_sub_user_is_the_owners(actor_type: ActorType, field: str) -> None:
    assert event_by(actor_type, REGISTERED).sealed_for(field) == ACCOUNT
    assert event_by(actor_type, login_refused(None, "unknown", 1)).sealed_for("ip") == ACCOUNT


@pytest.mark.parametrize("field", ["target", "details", "ip", "user_agent"])
def test_all_of_an_activity_is_the_sub_users(field: str) -> None:
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
    )
    assert activity.sealed_for(field) == MARIA


def test_an_event_knows_its_account_and_whom_it_is_about() -> None:
    """The views and the published events go by these two."""
    about_maria, about_nobody = event_by(ActorType.SYSTEM, erased(MARIA)), event_by(ActorType.SYSTEM, REGISTERED)
    assert (about_maria.account_id, about_maria.subject_id) == (ACCOUNT, MARIA)
    assert (about_nobody.account_id, about_nobody.subject_id) == (ACCOUNT, None)
