"""Usage reports of sub-users, recorded atomically, and the thresholds that they reach once per period."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres.event_store import recorder
from adapters.postgres.prepared_statements import execute_transaction
from application.commands.usage import UsageReport
from application.errors import InvalidValue, ServiceError
from application.repository import MainAccounts
from domain.events import UsageThresholdReached
from domain.plan import Plan, Resource
from domain.refusals import AccountIsClosed, AccountNotFound
from tests.builders import PORTAL, Company, catch_up, event_types
from tests.postgres import fetch, terminate_connections
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.postgres.prepared_statements import Statement
    from api.bootstrap.service import Service
    from tests.builders import SubUserHandle
    from tests.conftest import TravelingClock

REPORT_COUNT = "SELECT count(*) FROM stored_events WHERE topic = 'UsageRecorded'"
MINUTE = 60_000
PLAN = Plan(included_minutes=100, included_tokens=1000, period_start=date(2026, 1, 1))


def report_usage(sub_user: SubUserHandle, *, minutes: int = 0, tokens: int = 0, at: datetime | None = None) -> None:
    """Report a sub-user's usage as the portal does."""
    company = sub_user.company
    report = UsageReport(sub_user.sub_user_id, minutes * MINUTE, tokens, at)
    company.service.commands.usage.record(company.account_id, [report], PORTAL)


def check_usage(*services: Service) -> None:
    """Let the projection catch up, and check every account that is due."""
    catch_up(services[0], "usage")
    for service in services:
        while service.commands.usage.check_next():
            pass


def thresholds(company: Company) -> list[tuple[Resource, int, int, int]]:
    """Return the recorded thresholds: resource, per cent, used and included amount."""
    events = company.service.main_accounts.events.get(company.account_id)
    return [
        (event.resource, event.threshold, event.used, event.included)
        for event in events
        if isinstance(event, UsageThresholdReached)
    ]


@pytest.fixture
def sub_user(company: Company, clock: TravelingClock) -> SubUserHandle:
    """A sub-user of an account with a plan, in the middle of a month."""
    clock.advance(days=(datetime.now(UTC).replace(day=1) + timedelta(days=45) - datetime.now(UTC)).days)
    company.service.commands.usage.set_plan(company.account_id, PLAN, PORTAL)
    return company.create_sub_user()


def test_a_thousand_reports_are_recorded_at_once(service: Service, company: Company, database_url: str) -> None:
    """Each has its own stream, and their positions are consecutive."""
    sub_user, other = company.create_sub_user(), company.create_sub_user()
    reports = [UsageReport(sub_user.sub_user_id, 90 * MINUTE, 7), UsageReport(other.sub_user_id, llm_tokens=8)] * 500

    outcome = service.commands.usage.record(company.account_id, reports, PORTAL)

    assert len(set(outcome.value.event_ids)) == 1000
    assert fetch(database_url, REPORT_COUNT) == [(1000,)]
    assert fetch(database_url, "SELECT max(notification_id) FROM stored_events") == [(outcome.position,)]
    (stored_event,) = service.main_accounts.events.get(outcome.value.event_ids[0])
    event: Any = stored_event
    assert (event.account_id, event.sub_user_id) == (company.account_id, sub_user.sub_user_id)
    assert (event.conversation_ms, event.llm_tokens, event.occurred_at) == (90 * MINUTE, 7, event.timestamp)
    key = service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id].key
    assert (key.decrypt("ip", event.ip), event.request_id) == (PORTAL.ip, PORTAL.request_id)


def test_thousand_reports_are_one_insert(service: Service, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement inserts any number of events."""
    statements_sent: list[str] = []
    execute = psycopg.Cursor.execute

    def record_and_execute(cursor: psycopg.Cursor[Any], query: Any, *args: Any, **named: Any) -> psycopg.Cursor[Any]:
        statements_sent.append(query if isinstance(query, str) else query.as_string())
        return execute(cursor, query, *args, **named)

    def record_and_execute_all(connection: Any, statements: Sequence[Statement]) -> Any:
        statements_sent.extend(query for query, _ in statements)
        return execute_transaction(connection, statements)

    sub_user = company.create_sub_user()
    monkeypatch.setattr(psycopg.Cursor, "execute", record_and_execute)
    monkeypatch.setattr(recorder, "execute_transaction", record_and_execute_all)
    service.commands.usage.record(company.account_id, [UsageReport(sub_user.sub_user_id, MINUTE)] * 1000, PORTAL)
    assert len([query for query in statements_sent if "INSERT INTO" in query]) == 1
    assert len(statements_sent) < 50  # a few reads


@pytest.mark.parametrize("who", ["unknown", "deleted", "another account's"])
def test_unknown_sub_user_prevents_recording_the_report(
    service: Service, company: Company, database_url: str, who: str
) -> None:
    """The refusal has the index of the report."""
    sub_user = company.create_sub_user()
    invalid_id = Company.register(service).create_sub_user().sub_user_id if who == "another account's" else uuid4()
    if who == "deleted":
        deleted = company.create_sub_user()
        deleted.delete()
        invalid_id = deleted.sub_user_id
    with pytest.raises(InvalidValue) as refused:
        service.commands.usage.record(
            company.account_id, [UsageReport(sub_user.sub_user_id), UsageReport(invalid_id)], PORTAL
        )
    assert refused.value.field == "usage.1.sub_user_id"
    assert fetch(database_url, REPORT_COUNT) == [(0,)]


def test_plan_of_an_unknown_or_closed_account_cannot_be_set(service: Service, company: Company) -> None:
    with pytest.raises(AccountNotFound):
        service.commands.usage.set_plan(uuid4(), PLAN, PORTAL)
    service.commands.accounts.close(company.account_id, PORTAL)
    with pytest.raises(AccountIsClosed):
        service.commands.usage.set_plan(company.account_id, PLAN, PORTAL)


def test_thresholds_are_recorded_when_reached(service: Service, company: Company, sub_user: SubUserHandle) -> None:
    """The usage of all sub-users counts together. Each threshold is recorded once, with the service as actor."""
    other = company.create_sub_user(visible=False)
    report_usage(sub_user, minutes=79)
    check_usage(service)
    assert thresholds(company) == []
    report_usage(other, minutes=1)
    check_usage(service)
    assert thresholds(company) == [(Resource.CONVERSATION, 80, 80 * MINUTE, 100 * MINUTE)]
    report_usage(sub_user, minutes=50, tokens=2000)
    check_usage(service)
    report_usage(sub_user, minutes=50, tokens=2000)
    check_usage(service)
    assert thresholds(company)[1:] == [
        (Resource.CONVERSATION, 100, 130 * MINUTE, 100 * MINUTE),
        (Resource.TOKENS, 80, 2000, 1000),
        (Resource.TOKENS, 100, 2000, 1000),
    ]
    (last,) = [*service.main_accounts.events.get(company.account_id)][-1:]
    assert (last.actor_type, last.actor_id) == ("system", "usage")  # type: ignore[attr-defined]  # an Event


def test_usage_before_the_plan_counts(service: Service, company: Company) -> None:
    """Usage counts if it is within the current period."""
    report_usage(company.create_sub_user(), tokens=900)
    check_usage(service)
    assert thresholds(company) == []
    service.commands.usage.set_plan(company.account_id, replace(PLAN, period_start=service.clock().date()), PORTAL)
    check_usage(service)
    assert thresholds(company) == [(Resource.TOKENS, 80, 900, 1000)]
    service.commands.usage.set_plan(company.account_id, replace(PLAN, included_tokens=900), PORTAL)
    check_usage(service)
    assert {percent for _, percent, _, included in thresholds(company) if included == 900} == {80, 100}


def test_usage_in_an_earlier_period_reaches_no_threshold(
    service: Service, company: Company, sub_user: SubUserHandle
) -> None:
    """Late reports count in the period of their time, which is over."""
    report_usage(sub_user, minutes=1000, at=service.clock() - timedelta(days=40))
    report_usage(sub_user, minutes=50)
    check_usage(service)
    assert thresholds(company) == []


@pytest.mark.parametrize(("days_late", "percentages"), [(0, [80, 100]), (1, [])])
def test_late_usage_reaches_thresholds_on_the_first_day_of_the_next_period(
    service: Service, company: Company, clock: TravelingClock, days_late: int, percentages: list[int]
) -> None:
    """Otherwise a threshold reached in the last second of a period would depend on when a worker comes by."""
    sub_user = company.create_sub_user()
    today = service.clock().astimezone(UTC).date()
    # A period begins tomorrow, whatever day it is: the former one ends today.
    service.commands.usage.set_plan(company.account_id, replace(PLAN, period_start=today + timedelta(days=1)), PORTAL)
    report_usage(sub_user, minutes=100)
    catch_up(service, "usage")
    clock.advance(days=1 + days_late)
    check_usage(service)
    assert [percent for _, percent, _, _ in thresholds(company)] == percentages


def test_usage_in_the_future_counts_in_its_period(
    service: Service, company: Company, sub_user: SubUserHandle, clock: TravelingClock
) -> None:
    """The account becomes due at that time without another report."""
    report_usage(sub_user, minutes=1000, at=service.clock() + timedelta(days=40))
    check_usage(service)
    assert thresholds(company) == []
    clock.advance(days=40)
    check_usage(service)
    assert [percent for _, percent, _, _ in thresholds(company)] == [80, 100]


def test_erased_account_does_not_block_other_accounts(
    service: Service, company: Company, sub_user: SubUserHandle, clock: TravelingClock
) -> None:
    """Its usage still counts for billing, although it has no key any more."""
    other = Company.register(service)
    service.commands.usage.set_plan(other.account_id, PLAN, PORTAL)
    report_usage(other.create_sub_user(), tokens=900)
    report_usage(sub_user, minutes=80, at=service.clock() + timedelta(days=1))
    service.commands.erasures.erase_account(company.account_id)
    clock.advance(days=1)
    check_usage(service)
    assert [thresholds(account) for account in (other, company)] == [
        [(Resource.TOKENS, 80, 900, 1000)],
        [(Resource.CONVERSATION, 80, 80 * MINUTE, 100 * MINUTE)],
    ]


def test_new_period_starts_at_zero(
    service: Service, company: Company, sub_user: SubUserHandle, clock: TravelingClock
) -> None:
    """Thresholds can be reached again."""
    report_usage(sub_user, minutes=100)
    check_usage(service)
    clock.advance(days=31)
    report_usage(sub_user, minutes=70)
    check_usage(service)
    assert len(thresholds(company)) == 2
    report_usage(sub_user, minutes=10)
    check_usage(service)
    assert thresholds(company)[2:] == [(Resource.CONVERSATION, 80, 80 * MINUTE, 100 * MINUTE)]


def test_closed_account_reaches_thresholds(service: Service, company: Company, sub_user: SubUserHandle) -> None:
    """Reports are accepted after the closing, for billing."""
    service.commands.accounts.close(company.account_id, PORTAL)
    report_usage(sub_user, minutes=100)
    check_usage(service)
    assert [percent for _, percent, _, _ in thresholds(company)] == [80, 100]


def test_concurrent_reports_reach_each_threshold_once(
    company: Company, sub_user: SubUserHandle, build: Callable[..., Service], service: Service
) -> None:
    """Several services check the account meanwhile. The recorded usage reaches the threshold."""
    other_processes = [build() for _ in range(3)]

    def report_ten_times() -> None:
        for _ in range(10):
            report_usage(sub_user, minutes=1)

    tasks: list[Callable[[], None]] = [report_ten_times] * 16
    tasks += [partial(check_usage, process) for process in (service, *other_processes) for _ in range(2)]
    results = run_concurrently(tasks)
    assert not [error for error in results[:16] if isinstance(error, Exception)]
    check_usage(service, *other_processes)

    assert [(resource, percent) for resource, percent, _, _ in thresholds(company)] == [
        (Resource.CONVERSATION, 80),
        (Resource.CONVERSATION, 100),
    ]
    assert all(used * 100 >= included * percent for _, percent, used, included in thresholds(company))


@pytest.mark.parametrize("when", ["before it was recorded", "after it was recorded"])
def test_check_of_a_killed_worker_is_repeated(
    build: Callable[..., Service],
    company: Company,
    sub_user: SubUserHandle,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
    database_url: str,
) -> None:
    """The account stays due; recorded thresholds are not recorded again."""
    report_usage(sub_user, minutes=100)
    catch_up(company.service, "usage")
    change = MainAccounts.change

    def change_and_lose_connections(accounts: MainAccounts, *args: Any) -> Any:
        if when.startswith("after"):
            change(accounts, *args)
        terminate_connections(database_url)

    with monkeypatch.context() as patched, suppress(ServiceError):  # the check's connection is lost
        patched.setattr(MainAccounts, "change", change_and_lose_connections)
        company.service.commands.usage.check_next()
    company = company.with_service(build())
    assert len(thresholds(company)) == (2 if when.startswith("after") else 0)
    assert fetch(database_url, "SELECT count(*) FROM usage_checks") == [(1,)]

    check_usage(company.service)

    assert [percent for _, percent, _, _ in thresholds(company)] == [80, 100]
    assert fetch(database_url, "SELECT count(*) FROM usage_checks") == [(0,)]


def test_account_held_by_a_worker_does_not_block_others(
    service: Service, company: Company, sub_user: SubUserHandle, build: Callable[..., Service]
) -> None:
    """Two workers check two accounts concurrently."""
    other = Company.register(service)
    report_usage(sub_user, minutes=100)
    report_usage(other.create_sub_user(), minutes=1)
    catch_up(service, "usage")
    checks = build().commands.usage._counts  # noqa: SLF001  # to hold the lock during the test
    today = service.clock().date()
    with checks.lock_due_account(today) as first:
        assert service.commands.usage.check_next()
        assert not service.commands.usage.check_next()
    assert first is not None
    assert first.account_id in {company.account_id, other.account_id}


def test_usage_does_not_extend_the_accounts_stream(company: Company, sub_user: SubUserHandle) -> None:
    before = event_types(company)
    report_usage(sub_user, minutes=1)
    assert event_types(company) == before
