"""Recording activities of sub-users that the portal reports, atomically and apart from the account's stream."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application.commands.activities import Activity
from application.errors import InvalidValue
from application.transactional_writes import StoreDataKey
from tests.builders import PORTAL, Company
from tests.postgres import fetch
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from tests.builders import SubUserHandle

ACTIVITY_COUNT = "SELECT count(*) FROM stored_events WHERE topic = 'SubUserActivityRecorded'"


def activity_of(sub_user: SubUserHandle, target: str = "an assistant") -> Activity:
    return Activity(sub_user.sub_user_id, "assistant.opened", target=target, details='{"tab":"voice"}')


def test_a_thousand_activities_are_recorded_at_once(service: Service, company: Company, database_url: str) -> None:
    """Each has its own stream. They are encrypted with the sub-user's key and have consecutive positions."""
    sub_user, other = company.create_sub_user(), company.create_sub_user()

    outcome = service.commands.activities.record(
        company.account_id, [activity_of(sub_user), activity_of(other)] * 500, PORTAL
    )

    assert len(set(outcome.value.event_ids)) == 1000
    assert fetch(database_url, ACTIVITY_COUNT) == [(1000,)]
    assert fetch(database_url, "SELECT max(notification_id) FROM stored_events") == [(outcome.position,)]
    (stored_event,) = service.main_accounts.events.get(outcome.value.event_ids[0])
    event: Any = stored_event
    key = service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id].key
    assert (event.account_id, event.sub_user_id, event.action) == (
        company.account_id,
        sub_user.sub_user_id,
        "assistant.opened",
    )
    assert key.decrypt("target", event.target) == "an assistant"
    assert key.decrypt("details", event.details) == '{"tab":"voice"}'
    assert key.decrypt("ip", event.ip) == PORTAL.ip


@pytest.mark.parametrize("index", [0, 2])
@pytest.mark.parametrize("who", ["unknown", "deleted", "another account's"])
def test_unknown_sub_user_prevents_recording_the_report(
    service: Service, company: Company, database_url: str, who: str, index: int
) -> None:
    """The refusal has the index of the activity."""
    sub_user = company.create_sub_user()
    invalid_id = Company.register(service).create_sub_user().sub_user_id if who == "another account's" else uuid4()
    if who == "deleted":
        deleted = company.create_sub_user()
        deleted.delete()
        invalid_id = deleted.sub_user_id
    activities = [activity_of(sub_user), activity_of(sub_user)]
    activities.insert(index, Activity(invalid_id, "assistant.opened"))

    with pytest.raises(InvalidValue) as refused:
        service.commands.activities.record(company.account_id, activities, PORTAL)

    assert refused.value.field == f"activities.{index}.sub_user_id"
    assert fetch(database_url, ACTIVITY_COUNT) == [(0,)]


def test_a_failing_write_prevents_recording_the_activities(
    service: Service, company: Company, database_url: str
) -> None:
    """Additional writes are part of the same transaction."""
    sub_user = company.create_sub_user()
    duplicate_key = StoreDataKey(sub_user.sub_user_id, company.account_id, b"", "")

    with pytest.raises(Exception, match="vault_pkey"):
        service.commands.activities.record(
            company.account_id, [activity_of(sub_user)], PORTAL, also_write=lambda _ids, _key: [duplicate_key]
        )

    assert fetch(database_url, ACTIVITY_COUNT) == [(0,)]


def test_activities_do_not_conflict_with_commands(service: Service, company: Company) -> None:
    """They do not extend the account's stream, and concurrent reports do not conflict."""
    sub_user = company.create_sub_user()
    before = company.state().version

    results = run_concurrently(
        [lambda: service.commands.activities.record(company.account_id, [activity_of(sub_user)] * 20, PORTAL)] * 8
    )

    assert not [error for error in results if isinstance(error, Exception)]
    assert company.state().version == before


def test_activity_has_the_reported_time(service: Service, company: Company) -> None:
    """An activity without a reported time has the time of its recording."""
    sub_user = company.create_sub_user()
    an_hour_ago = service.clock() - timedelta(hours=1)
    with_time = Activity(sub_user.sub_user_id, "assistant.opened", occurred_at=an_hour_ago)
    without_time = Activity(sub_user.sub_user_id, "assistant.opened")

    ids = service.commands.activities.record(company.account_id, [with_time, without_time], PORTAL).value.event_ids

    (first,), (second,) = (list(service.main_accounts.events.get(stream)) for stream in ids)
    events: list[Any] = [first, second]
    assert events[0].occurred_at == an_hour_ago
    assert events[1].occurred_at == events[1].timestamp


def test_empty_report_records_nothing(service: Service, company: Company, database_url: str) -> None:
    assert service.commands.activities.record(company.account_id, [], PORTAL).value.event_ids == []
    assert fetch(database_url, ACTIVITY_COUNT) == [(0,)]
