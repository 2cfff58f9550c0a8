"""Usage view: exact sums per day, sub-user and plan period."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.commands.resources import ERASED
from application.commands.usage import UsageReport
from application.errors import InvalidValue
from domain.plan import Period, Plan, Usage
from domain.refusals import AccountNotFound
from projections.audit_log.conditions import AuditFilter
from projections.runtime.rebuild import rebuild
from projections.usage.queries import DayUsage, PlanUsage, SubUserUsage
from tests.builders import PORTAL, Company, catch_up
from tests.postgres import connect, fetch
from tests.waiting import eventually

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap.service import Service
    from projections.runtime.projection_follower import ProjectionFollower
    from projections.usage.queries import UsageOverview
    from tests.builders import SubUserHandle
    from tests.conftest import TravelingClock

FIRST, LAST = date(2026, 5, 1), date(2026, 5, 31)
NOON = datetime(2026, 5, 10, 12, tzinfo=UTC)
TABLES = ("usage_view", "usage_plans", "usage_checks")


def record_usage(sub_user: SubUserHandle, *reports: tuple[datetime, int, int]) -> None:
    """Record usage reports of a sub-user: time, milliseconds of conversation, tokens."""
    company = sub_user.company
    usage_reports = [UsageReport(sub_user.sub_user_id, ms, tokens, at) for at, ms, tokens in reports]
    company.service.commands.usage.record(company.account_id, usage_reports, PORTAL)


def overview(company: Company, first: date = FIRST, last: date = LAST, visibility: str = "visible") -> UsageOverview:
    catch_up(company.service)
    return company.service.queries.usage.overview(company.account_id, first, last, visibility)


def follower_of(service: Service) -> ProjectionFollower:
    return next(follower for follower in service.workers.followers if follower.view.name == "usage")


def contents(url: str) -> list[list[tuple[str, ...]]]:
    return [fetch(url, f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES]  # noqa: S608  # one of three names


def test_account_without_usage_has_zero_sums(company: Company) -> None:
    """Every day is listed, no sub-user and no plan."""
    company.create_sub_user()
    usage = overview(company, FIRST, date(2026, 5, 3))
    assert usage.days == [DayUsage(date(2026, 5, day), Usage()) for day in (1, 2, 3)]
    assert (usage.total, usage.sub_users, usage.deleted, usage.plan) == (Usage(), [], Usage(), None)


def test_usage_is_summed_by_day_and_by_sub_user(company: Company) -> None:
    """Reports with any offset are assigned to UTC days. Sub-users are sorted by name."""
    grace, ada = company.create_sub_user(), company.create_sub_user(name="Ada", surname="Lovelace")
    midnight = datetime(2026, 5, 10, tzinfo=UTC)
    in_rome = datetime(2026, 5, 11, 1, 59, tzinfo=timezone(timedelta(hours=2)))
    record_usage(grace, (midnight, 60, 5), (midnight - timedelta.resolution, 0, 7), (in_rome, 120, 0))
    record_usage(ada, (NOON, 6, 1), (datetime(2026, 4, 30, 23, 59, tzinfo=UTC), 1000, 1000))

    usage = overview(company)

    assert {day.day.day: day.used for day in usage.days if day.used != Usage()} == {9: Usage(0, 7), 10: Usage(186, 6)}
    assert len(usage.days) == 31
    assert usage.total == Usage(186, 13)
    assert usage.sub_users == [
        SubUserUsage(ada.sub_user_id, "Ada Lovelace", visible=True, used=Usage(6, 1)),
        SubUserUsage(grace.sub_user_id, "Grace Hopper", visible=True, used=Usage(180, 12)),
    ]


def test_hidden_and_deleted_sub_users_count_in_totals(company: Company) -> None:
    """Hidden sub-users are listed on request. Deleted sub-users share one sum without a name."""
    visible, hidden, deleted, also_deleted = (
        company.create_sub_user(),
        company.create_sub_user(visible=False),
        company.create_sub_user(),
        company.create_sub_user(),
    )
    for sub_user, tokens in ((visible, 1), (hidden, 10), (deleted, 100), (also_deleted, 1000)):
        record_usage(sub_user, (NOON, 60, tokens))
    deleted.delete()
    also_deleted.delete()

    def list_usage(visibility: str) -> list[tuple[UUID, bool]]:
        usage = overview(company, visibility=visibility)
        assert (usage.total, usage.deleted) == (Usage(240, 1111), Usage(120, 1100))
        assert [day.used for day in usage.days if day.used != Usage()] == [Usage(240, 1111)]
        return [(sub_user.sub_user_id, sub_user.visible) for sub_user in usage.sub_users]

    assert list_usage("visible") == [(visible.sub_user_id, True)]
    assert list_usage("hidden") == [(hidden.sub_user_id, False)]
    assert sorted(list_usage("all")) == sorted([(visible.sub_user_id, True), (hidden.sub_user_id, False)])
    hidden.change(visible=True)
    assert len(list_usage("visible")) == 2


def test_plan_usage_is_that_of_the_current_period(service: Service, company: Company, clock: TravelingClock) -> None:
    """The requested days do not matter. Without them the overview covers the period up to today."""
    sub_user = company.create_sub_user()
    clock.advance(days=(datetime(2031, 3, 10, tzinfo=UTC) - clock()).days)
    today = clock().date()
    plan = Plan(1000, 2000, date(2031, 1, 31))
    period = Period(date(2031, 2, 28), date(2031, 3, 31))
    assert period.first < today < period.end
    record_usage(sub_user, (clock(), 60, 5), (datetime(2031, 2, 27, 23, tzinfo=UTC), 600, 50))
    assert overview(company).plan is None
    assert service.queries.usage.overview(company.account_id).first_day == today.replace(day=1)
    service.commands.usage.set_plan(company.account_id, Plan(1, 1, FIRST), PORTAL)
    service.commands.usage.set_plan(company.account_id, plan, PORTAL)

    assert overview(company).plan == PlanUsage(plan, period, Usage(60, 5))
    current = service.queries.usage.overview(company.account_id)
    assert (current.first_day, current.last_day, current.total) == (period.first, today, Usage(60, 5))


def test_accounts_have_separate_usage_and_plans(service: Service, company: Company) -> None:
    other = Company.register(service)
    record_usage(company.create_sub_user(), (NOON, 60, 1))
    record_usage(other.create_sub_user(), (NOON, 120, 2))
    service.commands.usage.set_plan(other.account_id, Plan(1, 1, FIRST), PORTAL)
    assert (overview(company).total, overview(company).plan) == (Usage(60, 1), None)
    assert overview(other).total == Usage(120, 2)


def test_unknown_account_and_invalid_days_have_no_usage(service: Service, company: Company) -> None:
    """Days are invalid in the wrong order, or if there are more than 366."""
    catch_up(service)
    with pytest.raises(AccountNotFound):
        service.queries.usage.overview(uuid4())
    for last in (FIRST - timedelta(days=1), FIRST + timedelta(days=366)):
        with pytest.raises(InvalidValue, match="until"):
            service.queries.usage.overview(company.account_id, FIRST, last)
    assert len(overview(company, FIRST, FIRST + timedelta(days=365)).days) == 366


def test_usage_on_the_first_and_last_day_of_the_calendar(company: Company) -> None:
    sub_user = company.create_sub_user()
    record_usage(sub_user, (datetime.min.replace(tzinfo=UTC), 60, 1), (datetime.max.replace(tzinfo=UTC), 60, 1))
    assert overview(company, date.min, date.min).total == Usage(60, 1)
    assert overview(company, date.max, date.max).total == Usage(60, 1)


def test_sums_beyond_float_precision_are_exact(company: Company) -> None:
    sub_user = company.create_sub_user()
    record_usage(sub_user, *[(NOON, 6_000_000_000, 10**15)] * 100, (NOON, 60, 1))
    assert overview(company).total == Usage(600_000_000_060, 10**17 + 1)


@pytest.mark.usefixtures("followers")
def test_usage_includes_all_earlier_reports(service: Service, company: Company) -> None:
    sub_user = company.create_sub_user()
    for n in range(1, 6):
        record_usage(sub_user, (NOON, 60, 1))
        assert service.queries.usage.overview(company.account_id, FIRST, LAST).total == Usage(60 * n, n)


def test_usage_is_in_the_audit_log(service: Service, company: Company) -> None:
    """The actor is the sub-user. Plans and thresholds have rows too."""
    sub_user = company.create_sub_user()
    service.commands.usage.set_plan(company.account_id, Plan(0, 1, service.clock().date()), PORTAL)
    service.commands.usage.record(company.account_id, [UsageReport(sub_user.sub_user_id, 60, 1)], PORTAL)
    catch_up(service)
    while service.commands.usage.check_next():
        catch_up(service)
    catch_up(service)
    rows, _ = service.queries.audit_log.page(company.account_id, AuditFilter(), 4, None)
    assert [(row.action, row.actor["type"], row.sub_user_id) for row in rows] == [
        ("main_account.usage_threshold_reached", "system", None),
        ("main_account.usage_threshold_reached", "system", None),
        ("sub_user.usage_recorded", "sub_user", sub_user.sub_user_id),
        ("main_account.plan_set", "main_account", None),
    ]
    assert rows[2].details == {"conversation_ms": 60, "llm_tokens": 1}
    assert (rows[2].actor["name"], rows[2].ip) == ("Grace Hopper", PORTAL.ip)
    sub_user.delete()
    catch_up(service)
    erased, _ = service.queries.audit_log.page(
        company.account_id, AuditFilter(actions=("sub_user.usage_recorded",)), 4, None
    )
    assert (erased[0].actor["name"], erased[0].ip, erased[0].details) == (ERASED, ERASED, rows[2].details)


def test_follower_waits_for_a_threshold_check_of_the_account(
    service: Service, company: Company, database_url: str
) -> None:
    """The account is due again afterwards."""
    sub_user = company.create_sub_user()
    record_usage(sub_user, (service.clock(), 60, 1))
    catch_up(service, "usage")
    record_usage(sub_user, (service.clock(), 60, 1))
    follower = follower_of(service)
    with connect(database_url) as connection:
        following = threading.Thread(target=follower.step, args=[connection])
        with service.commands.usage._counts.lock_due_account(service.clock().date()) as due:  # noqa: SLF001  # holds the check open
            assert due is not None
            assert due.account_id == company.account_id
            following.start()
            eventually(lambda: fetch(database_url, "SELECT 1 FROM pg_locks WHERE NOT granted"))
        following.join()
    assert fetch(database_url, "SELECT account_id FROM usage_checks") == [(company.account_id,)]


def test_threshold_check_skips_accounts_with_uncommitted_usage(
    service: Service, company: Company, database_url: str
) -> None:
    """The account is checked once the follower has committed."""
    sub_user = company.create_sub_user()
    record_usage(sub_user, (service.clock(), 60, 1))
    catch_up(service, "usage")
    record_usage(sub_user, (service.clock(), 60, 1))
    with connect(database_url) as connection, connection.transaction():
        follower_of(service).step(connection)
        assert not service.commands.usage.check_next()
    assert service.commands.usage.check_next()


def test_rolled_back_usage_batch_is_counted_once(service: Service, company: Company, database_url: str) -> None:
    """The follower applies the batch again."""
    sub_user = company.create_sub_user()
    catch_up(service)
    record_usage(sub_user, (NOON, 60, 1))
    with connect(database_url) as connection, connection.transaction(force_rollback=True):
        assert follower_of(service).step(connection) == 1
    assert overview(company).total == Usage(60, 1)


@pytest.mark.parametrize("at_a_time", [1, 3, 500])
def test_usage_does_not_depend_on_batch_sizes(
    service: Service, company: Company, database_url: str, at_a_time: int
) -> None:
    """A rebuild results in the same rows."""
    sub_users = [company.create_sub_user(), company.create_sub_user(), Company.register(service).create_sub_user()]
    for n, sub_user in enumerate(sub_users * 7):
        record_usage(sub_user, (NOON + timedelta(hours=5 * n), 60 * n, n))
    for minutes in (1, 2):
        service.commands.usage.set_plan(company.account_id, Plan(minutes, 1, FIRST), PORTAL)
    follower = follower_of(service)
    with connect(database_url) as connection:
        connection.execute("INSERT INTO followers (name) VALUES ('usage')")
        while follower.step(connection, at_a_time):
            pass
    rows = contents(database_url)
    assert all(rows)
    with connect(database_url) as connection:
        rebuild(follower.view, connection, lambda _, __: None)
    assert contents(database_url) == rows


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example registers its own account
)
@given(
    reports=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(-3 * 24 * 60, 35 * 24 * 60),
            st.integers(0, 100_000_000).map(lambda thousandths: 60 * thousandths),
            st.integers(0, 10**9),
        ),
        max_size=40,
    ),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    deleted=st.booleans(),
)
def test_sums_match_a_brute_force_sum(
    service: Service, reports: list[tuple[int, int, int, int]], sizes: list[int], *, deleted: bool
) -> None:
    """Reports, bundle sizes and batch sizes are random."""
    company = Company.register(service)
    sub_users = [company.create_sub_user(), company.create_sub_user(visible=False), company.create_sub_user()]
    midnight = datetime(2026, 5, 1, tzinfo=UTC)
    remaining = [
        UsageReport(sub_users[index].sub_user_id, ms, tokens, midnight + timedelta(minutes=minute))
        for index, minute, ms, tokens in reports
    ]
    bundles = 0
    while remaining:
        size = sizes[bundles % len(sizes)]
        service.commands.usage.record(company.account_id, remaining[:size], PORTAL)
        remaining, bundles = remaining[size:], bundles + 1
    with connect(service.settings.database_url or "") as connection:
        connection.execute("INSERT INTO followers (name) VALUES ('usage') ON CONFLICT DO NOTHING")
        while follower_of(service).step(connection, sizes[0]):
            pass
    if deleted:
        sub_users[2].delete()

    per_day: Counter[tuple[date, str]] = Counter()
    per_person: Counter[tuple[int, str]] = Counter()
    for index, minute, ms, tokens in reports:
        day = (midnight + timedelta(minutes=minute)).date()
        if FIRST <= day <= LAST:
            per_day += Counter({(day, "ms"): ms, (day, "tokens"): tokens})
            per_person += Counter({(index, "ms"): ms, (index, "tokens"): tokens})

    usage = overview(company, visibility="all")

    assert [day.used for day in usage.days] == [
        Usage(per_day[day.day, "ms"], per_day[day.day, "tokens"]) for day in usage.days
    ]
    expected = {
        sub_users[index].sub_user_id: Usage(per_person[index, "ms"], per_person[index, "tokens"]) for index in range(3)
    }
    deleted_usage = expected.pop(sub_users[2].sub_user_id) if deleted else Usage()
    assert usage.deleted == deleted_usage
    listed = {sub_user.sub_user_id: sub_user.used for sub_user in usage.sub_users}
    assert listed == {
        sub_user_id: used for sub_user_id, used in expected.items() if used != Usage() or sub_user_id in listed
    }
    assert usage.total == sum(listed.values(), deleted_usage)
