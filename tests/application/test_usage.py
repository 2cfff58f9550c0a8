"""What sub-users use of a plan: recorded all together, and told once when much of the plan is used."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres import recorder
from application.errors import InvalidValue, ServiceError
from application.main_accounts import MainAccounts
from application.usage import UsageReport
from domain.events import UsageThresholdReached
from domain.plan import Plan, Resource
from domain.refusals import AccountIsClosed, AccountNotFound
from projections.round_trips import in_one_transaction
from tests.people import PORTAL, Company, catch_up, kinds
from tests.postgres import ask, cut_off
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.bootstrap import Service
    from projections.round_trips import Statement
    from tests.conftest import TravelingClock
    from tests.people import Collaborator

FACTS = "SELECT count(*) FROM stored_events WHERE topic = 'UsageRecorded'"
MINUTE = 60_000
PLAN = Plan(included_minutes=100, included_tokens=1000, period_start=date(2026, 1, 1))


def used(one: Collaborator, *, minutes: int = 0, tokens: int = 0, at: datetime | None = None) -> None:
    """Have the portal report what they used."""
    company = one.company
    report = UsageReport(one.sub_user_id, minutes * MINUTE, tokens, at)
    company.service.usage.record(company.account_id, [report], PORTAL)


def check(*services: Service) -> None:
    """Have the follower catch up, and every account that is due looked at."""
    catch_up(services[0], "usage")
    for service in services:
        while service.usage.check_next():
            pass


def told(company: Company) -> list[tuple[Resource, int, int, int]]:
    """Return what thresholds the account's history tells of: resource, per cent, used, included."""
    events = company.service.main_accounts.events.get(company.account_id)
    return [
        (event.resource, event.threshold, event.used, event.included)
        for event in events
        if isinstance(event, UsageThresholdReached)
    ]


@pytest.fixture
def one(company: Company, clock: TravelingClock) -> Collaborator:
    """Give a sub-user of an account with a plan, in the middle of a month."""
    clock.advance(days=(datetime.now(UTC).replace(day=1) + timedelta(days=45) - datetime.now(UTC)).days)
    company.service.usage.set_plan(company.account_id, PLAN, PORTAL)
    return company.let_in()


def test_a_thousand_are_recorded_at_once(service: Service, company: Company, database_url: str) -> None:
    """Each a stream of its own, at one position after the other."""
    one, other = company.let_in(), company.let_in()
    reports = [UsageReport(one.sub_user_id, 90 * MINUTE, 7), UsageReport(other.sub_user_id, llm_tokens=8)] * 500

    outcome = service.usage.record(company.account_id, reports, PORTAL)

    assert len(set(outcome.value)) == 1000
    assert ask(database_url, FACTS) == [(1000,)]
    assert ask(database_url, "SELECT max(notification_id) FROM stored_events") == [(outcome.position,)]
    (event,) = service.main_accounts.events.get(outcome.value[0])
    fact: Any = event
    assert (fact.account_id, fact.sub_user_id) == (company.account_id, one.sub_user_id)
    assert (fact.conversation_ms, fact.llm_tokens, fact.occurred_at) == (90 * MINUTE, 7, fact.timestamp)
    key = service.vault.entries([one.sub_user_id])[one.sub_user_id].key
    assert (key.open("ip", fact.ip), fact.request_id) == (PORTAL.ip, PORTAL.request_id)


def test_a_report_of_a_thousand_is_one_insert(
    service: Service, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement inserts them all, whatever their number."""
    sent: list[str] = []
    execute = psycopg.Cursor.execute

    def noting(cursor: psycopg.Cursor[Any], query: Any, *args: Any, **named: Any) -> psycopg.Cursor[Any]:
        sent.append(query if isinstance(query, str) else query.as_string())
        return execute(cursor, query, *args, **named)

    def noting_all(connection: Any, statements: Sequence[Statement]) -> Any:
        sent.extend(query for query, _ in statements)
        return in_one_transaction(connection, statements)

    one = company.let_in()
    monkeypatch.setattr(psycopg.Cursor, "execute", noting)
    monkeypatch.setattr(recorder, "in_one_transaction", noting_all)
    service.usage.record(company.account_id, [UsageReport(one.sub_user_id, MINUTE)] * 1000, PORTAL)
    assert len([query for query in sent if "INSERT INTO" in query]) == 1
    assert len(sent) < 50  # a few reads


@pytest.mark.parametrize("who", ["nobody", "deleted", "another account's"])
def test_one_that_names_nobody_keeps_all_from_being_recorded(
    service: Service, company: Company, database_url: str, who: str
) -> None:
    """All or none; the refusal says which."""
    one = company.let_in()
    stranger = Company.register(service).let_in().sub_user_id if who == "another account's" else uuid4()
    if who == "deleted":
        gone = company.let_in()
        gone.delete()
        stranger = gone.sub_user_id
    with pytest.raises(InvalidValue) as refused:
        service.usage.record(company.account_id, [UsageReport(one.sub_user_id), UsageReport(stranger)], PORTAL)
    assert refused.value.field == "usage.1.sub_user_id"
    assert ask(database_url, FACTS) == [(0,)]


def test_a_plan_of_nobody_s_and_of_a_closed_account(service: Service, company: Company) -> None:
    """The first is not there, and the second is not changed any more."""
    with pytest.raises(AccountNotFound):
        service.usage.set_plan(uuid4(), PLAN, PORTAL)
    service.accounts.close(company.account_id, PORTAL)
    with pytest.raises(AccountIsClosed):
        service.usage.set_plan(company.account_id, PLAN, PORTAL)


def test_thresholds_are_told_as_they_are_reached(service: Service, company: Company, one: Collaborator) -> None:
    """By all sub-users together, each threshold once, in the name of the service; looking again tells nothing."""
    other = company.let_in(visible=False)
    used(one, minutes=79)
    check(service)
    assert told(company) == []
    used(other, minutes=1)
    check(service)
    assert told(company) == [(Resource.CONVERSATION, 80, 80 * MINUTE, 100 * MINUTE)]
    used(one, minutes=50, tokens=2000)
    check(service)
    used(one, minutes=50, tokens=2000)
    check(service)
    assert told(company)[1:] == [
        (Resource.CONVERSATION, 100, 130 * MINUTE, 100 * MINUTE),
        (Resource.TOKENS, 80, 2000, 1000),
        (Resource.TOKENS, 100, 2000, 1000),
    ]
    (last,) = [*service.main_accounts.events.get(company.account_id)][-1:]
    assert (last.actor_type, last.actor_id) == ("system", "usage")  # type: ignore[attr-defined]  # an Event


def test_a_plan_that_is_set_later_is_looked_at(service: Service, company: Company) -> None:
    """What was used before in its period counts."""
    used(company.let_in(), tokens=900)
    check(service)
    assert told(company) == []
    service.usage.set_plan(company.account_id, replace(PLAN, period_start=service.clock().date()), PORTAL)
    check(service)
    assert told(company) == [(Resource.TOKENS, 80, 900, 1000)]
    service.usage.set_plan(company.account_id, replace(PLAN, included_tokens=900), PORTAL)
    check(service)
    assert {percent for _, percent, _, included in told(company) if included == 900} == {80, 100}


def test_an_earlier_period_tells_nothing(service: Service, company: Company, one: Collaborator) -> None:
    """What is reported late counts where it belongs: nobody could act on it any more."""
    used(one, minutes=1000, at=service.clock() - timedelta(days=40))
    used(one, minutes=50)
    check(service)
    assert told(company) == []


def test_what_lies_ahead_is_told_when_its_day_comes(
    service: Service, company: Company, one: Collaborator, clock: TravelingClock
) -> None:
    """It counts in the period that it is in, and an account is looked at then, without another report."""
    used(one, minutes=1000, at=service.clock() + timedelta(days=40))
    check(service)
    assert told(company) == []
    clock.advance(days=40)
    check(service)
    assert [percent for _, percent, _, _ in told(company)] == [80, 100]


def test_an_erased_account_keeps_no_other_from_being_looked_at(
    service: Service, company: Company, one: Collaborator, clock: TravelingClock
) -> None:
    """What was reported of it is still to be paid for, and there is no key left to its name."""
    other = Company.register(service)
    service.usage.set_plan(other.account_id, PLAN, PORTAL)
    used(other.let_in(), tokens=900)
    used(one, minutes=80, at=service.clock() + timedelta(days=1))
    service.erasures.erase_account(company.account_id)
    clock.advance(days=1)
    check(service)
    assert [told(one) for one in (other, company)] == [
        [(Resource.TOKENS, 80, 900, 1000)],
        [(Resource.CONVERSATION, 80, 80 * MINUTE, 100 * MINUTE)],
    ]


def test_a_new_period_begins_at_nothing(
    service: Service, company: Company, one: Collaborator, clock: TravelingClock
) -> None:
    """And tells its thresholds again."""
    used(one, minutes=100)
    check(service)
    clock.advance(days=31)
    used(one, minutes=70)
    check(service)
    assert len(told(company)) == 2
    used(one, minutes=10)
    check(service)
    assert told(company)[2:] == [(Resource.CONVERSATION, 80, 80 * MINUTE, 100 * MINUTE)]


def test_a_closed_account_is_told_of_what_was_used(service: Service, company: Company, one: Collaborator) -> None:
    """Reports are taken after it was closed: what was used is still to be paid for."""
    service.accounts.close(company.account_id, PORTAL)
    used(one, minutes=100)
    check(service)
    assert [percent for _, percent, _, _ in told(company)] == [80, 100]


def test_sixteen_who_report_at_once(
    company: Company, one: Collaborator, build: Callable[..., Service], service: Service
) -> None:
    """While several processes look: each threshold is told once, and the second one by a use that reaches it."""
    others = [build() for _ in range(3)]

    def report_ten_times() -> None:
        for _ in range(10):
            used(one, minutes=1)

    tasks: list[Callable[[], None]] = [report_ten_times] * 16
    tasks += [partial(check, process) for process in (service, *others) for _ in range(2)]
    came_to = at_once(tasks)
    assert not [error for error in came_to[:16] if isinstance(error, Exception)]
    check(service, *others)

    assert [(resource, percent) for resource, percent, _, _ in told(company)] == [
        (Resource.CONVERSATION, 80),
        (Resource.CONVERSATION, 100),
    ]
    assert all(so_much * 100 >= of * percent for _, percent, so_much, of in told(company))


@pytest.mark.parametrize("when", ["before it was recorded", "after it was recorded"])
def test_a_worker_that_is_killed_meanwhile(
    build: Callable[..., Service],
    company: Company,
    one: Collaborator,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
    database_url: str,
) -> None:
    """The account stays due; what was told is not told again, and what was not is told."""
    used(one, minutes=100)
    catch_up(company.service, "usage")
    change = MainAccounts.change

    def killed(accounts: MainAccounts, *args: Any) -> Any:
        if when.startswith("after"):
            change(accounts, *args)
        cut_off(database_url)

    with monkeypatch.context() as patched, suppress(ServiceError):
        patched.setattr(MainAccounts, "change", killed)
        company.service.usage.check_next()
    company = company.seen_by(build())
    assert len(told(company)) == (2 if when.startswith("after") else 0)
    assert ask(database_url, "SELECT count(*) FROM usage_checks") == [(1,)]

    check(company.service)

    assert [percent for _, percent, _, _ in told(company)] == [80, 100]
    assert ask(database_url, "SELECT count(*) FROM usage_checks") == [(0,)]


def test_an_account_that_is_held_keeps_no_other_waiting(
    service: Service, company: Company, one: Collaborator, build: Callable[..., Service]
) -> None:
    """Two workers look at two accounts, and the follower goes on with what neither of them holds."""
    other = Company.register(service)
    used(one, minutes=100)
    used(other.let_in(), minutes=1)
    catch_up(service, "usage")
    looking = build().usage._counts  # noqa: SLF001  # to stand still in the middle of it
    today = service.clock().date()
    with looking.due(today) as first:
        assert service.usage.check_next()
        assert not service.usage.check_next()
    assert first in {company.account_id, other.account_id}


def test_usage_does_not_get_in_the_way_of_commands(company: Company, one: Collaborator) -> None:
    """Reports do not lengthen the account's history."""
    before = kinds(company)
    used(one, minutes=1)
    assert kinds(company) == before
