"""What the portal reports that sub-users did: recorded all together, apart from every command."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application.activities import Activity
from application.errors import InvalidValue
from application.records import PersonAdded
from tests.people import PORTAL, Company
from tests.postgres import ask
from tests.waiting import at_once

if TYPE_CHECKING:
    from api.bootstrap import Service
    from tests.people import Collaborator

FACTS = "SELECT count(*) FROM stored_events WHERE topic = 'SubUserActivityRecorded'"


def opened(one: Collaborator, target: str = "an assistant") -> Activity:
    return Activity(one.sub_user_id, "assistant.opened", target=target, details='{"tab":"voice"}')


def test_a_thousand_are_recorded_at_once(service: Service, company: Company, database_url: str) -> None:
    """Each a stream of its own, sealed for the sub-user, at one position after the other."""
    one, other = company.let_in(), company.let_in()

    outcome = service.activities.record(company.account_id, [opened(one), opened(other)] * 500, PORTAL)

    assert len(set(outcome.value)) == 1000
    assert ask(database_url, FACTS) == [(1000,)]
    assert ask(database_url, "SELECT max(notification_id) FROM stored_events") == [(outcome.position,)]
    (event,) = service.main_accounts.events.get(outcome.value[0])
    fact: Any = event
    key = service.vault.entries([one.sub_user_id])[one.sub_user_id].key
    assert (fact.account_id, fact.sub_user_id, fact.action) == (company.account_id, one.sub_user_id, "assistant.opened")
    assert key.open("target", fact.target) == "an assistant"
    assert key.open("details", fact.details) == '{"tab":"voice"}'
    assert key.open("ip", fact.ip) == PORTAL.ip


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("who", ["nobody", "deleted", "another account's"])
def test_one_that_names_nobody_keeps_all_from_being_recorded(
    service: Service, company: Company, database_url: str, who: str, place: int
) -> None:
    """All or none; the refusal says which."""
    one = company.let_in()
    stranger = Company.register(service).let_in().sub_user_id if who == "another account's" else uuid4()
    if who == "deleted":
        gone = company.let_in()
        gone.delete()
        stranger = gone.sub_user_id
    activities = [opened(one), opened(one)]
    activities.insert(place, Activity(stranger, "assistant.opened"))

    with pytest.raises(InvalidValue) as refused:
        service.activities.record(company.account_id, activities, PORTAL)

    assert refused.value.field == f"activities.{place}.sub_user_id"
    assert ask(database_url, FACTS) == [(0,)]


def test_a_failing_record_keeps_all_from_being_recorded(service: Service, company: Company, database_url: str) -> None:
    """What is kept with them is in the same transaction."""
    one = company.let_in()
    twice = PersonAdded(one.sub_user_id, company.account_id, b"", "")

    with pytest.raises(Exception, match="vault_pkey"):
        service.activities.record(company.account_id, [opened(one)], PORTAL, keep=lambda _ids, _key: [twice])

    assert ask(database_url, FACTS) == [(0,)]


def test_they_do_not_get_in_the_way_of_commands(service: Service, company: Company) -> None:
    """They neither lengthen the account's history nor conflict with it, or with each other."""
    one = company.let_in()
    before = company.state().version

    came_to = at_once([lambda: service.activities.record(company.account_id, [opened(one)] * 20, PORTAL)] * 8)

    assert not [error for error in came_to if isinstance(error, Exception)]
    assert company.state().version == before


def test_they_happened_when_the_portal_says(service: Service, company: Company) -> None:
    """Where it says so; else when they were recorded."""
    one = company.let_in()
    an_hour_ago = service.clock() - timedelta(hours=1)
    reported = Activity(one.sub_user_id, "assistant.opened", occurred_at=an_hour_ago)
    now = Activity(one.sub_user_id, "assistant.opened")

    ids = service.activities.record(company.account_id, [reported, now], PORTAL).value

    (first,), (second,) = (list(service.main_accounts.events.get(stream)) for stream in ids)
    facts: list[Any] = [first, second]
    assert facts[0].occurred_at == an_hour_ago
    assert facts[1].occurred_at == facts[1].timestamp


def test_none_at_all_is_nothing(service: Service, company: Company, database_url: str) -> None:
    """An empty report records nothing, and is no error."""
    assert service.activities.record(company.account_id, [], PORTAL).value == []
    assert ask(database_url, FACTS) == [(0,)]
