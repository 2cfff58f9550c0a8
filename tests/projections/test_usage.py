"""What was used: counted exactly, where it belongs, whoever it was and however it came in."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.errors import InvalidValue
from application.resources import ERASED
from application.usage import UsageReport
from domain.plan import Period, Plan, Usage
from domain.refusals import AccountNotFound
from projections.audit_queries import AuditFilter
from projections.rebuild import rebuild
from projections.usage_queries import DayUsage, PlanStanding, SubUserUsage
from tests.people import PORTAL, Company, catch_up
from tests.postgres import ask, connect
from tests.waiting import eventually

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap import Service
    from projections.follower import Follower
    from projections.usage_queries import UsageOverview
    from tests.conftest import TravelingClock
    from tests.people import Collaborator

FIRST, LAST = date(2026, 5, 1), date(2026, 5, 31)
NOON = datetime(2026, 5, 10, 12, tzinfo=UTC)
TABLES = ("usage_view", "usage_plans", "usage_checks")


def reported(one: Collaborator, *reports: tuple[datetime, int, int]) -> None:
    """Have the portal report when they used how many milliseconds and tokens."""
    company = one.company
    told = [UsageReport(one.sub_user_id, ms, tokens, at) for at, ms, tokens in reports]
    company.service.usage.record(company.account_id, told, PORTAL)


def overview(company: Company, first: date = FIRST, last: date = LAST, visibility: str = "visible") -> UsageOverview:
    catch_up(company.service)
    return company.service.usage_queries.overview(company.account_id, first, last, visibility)


def follower_of(service: Service) -> Follower:
    return next(follower for follower in service.followers if follower.view.name == "usage")


def contents(url: str) -> list[list[tuple[str, ...]]]:
    return [ask(url, f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES]  # noqa: S608  # one of three names


def test_an_account_that_used_nothing(company: Company) -> None:
    """It has every day, with nothing in it, nobody, and no plan."""
    company.let_in()
    found = overview(company, FIRST, date(2026, 5, 3))
    assert found.days == [DayUsage(date(2026, 5, day), Usage()) for day in (1, 2, 3)]
    assert (found.total, found.sub_users, found.deleted, found.plan) == (Usage(), [], Usage(), None)


def test_by_day_and_by_sub_user(company: Company) -> None:
    """Days begin and end in UTC, whatever offset is told; names are in order."""
    grace, ada = company.let_in(), company.let_in(name="Ada", surname="Lovelace")
    midnight = datetime(2026, 5, 10, tzinfo=UTC)
    in_rome = datetime(2026, 5, 11, 1, 59, tzinfo=timezone(timedelta(hours=2)))
    reported(grace, (midnight, 60, 5), (midnight - timedelta.resolution, 0, 7), (in_rome, 120, 0))
    reported(ada, (NOON, 6, 1), (datetime(2026, 4, 30, 23, 59, tzinfo=UTC), 1000, 1000))

    found = overview(company)

    assert {day.day.day: day.used for day in found.days if day.used != Usage()} == {9: Usage(0, 7), 10: Usage(186, 6)}
    assert len(found.days) == 31
    assert found.total == Usage(186, 13)
    assert found.sub_users == [
        SubUserUsage(ada.sub_user_id, "Ada Lovelace", visible=True, used=Usage(6, 1)),
        SubUserUsage(grace.sub_user_id, "Grace Hopper", visible=True, used=Usage(180, 12)),
    ]


def test_hidden_and_deleted_sub_users(company: Company) -> None:
    """They count in totals; hidden ones are listed where asked for, deleted ones are together, without a name."""
    seen, hidden, gone, gone_too = company.let_in(), company.let_in(visible=False), company.let_in(), company.let_in()
    for one, tokens in ((seen, 1), (hidden, 10), (gone, 100), (gone_too, 1000)):
        reported(one, (NOON, 60, tokens))
    gone.delete()
    gone_too.delete()

    def listed(visibility: str) -> list[tuple[UUID, bool]]:
        found = overview(company, visibility=visibility)
        assert (found.total, found.deleted) == (Usage(240, 1111), Usage(120, 1100))
        assert [day.used for day in found.days if day.used != Usage()] == [Usage(240, 1111)]
        return [(one.sub_user_id, one.visible) for one in found.sub_users]

    assert listed("visible") == [(seen.sub_user_id, True)]
    assert listed("hidden") == [(hidden.sub_user_id, False)]
    assert sorted(listed("all")) == sorted([(seen.sub_user_id, True), (hidden.sub_user_id, False)])
    hidden.change(visible=True)
    assert len(listed("visible")) == 2


def test_how_the_plan_stands(service: Service, company: Company, clock: TravelingClock) -> None:
    """In the period that is running now, whatever days are asked for; without days it is that period up to today."""
    one = company.let_in()
    clock.advance(days=(datetime(2031, 3, 10, tzinfo=UTC) - clock()).days)
    today = clock().date()
    plan = Plan(1000, 2000, date(2031, 1, 31))
    period = Period(date(2031, 2, 28), date(2031, 3, 31))
    assert period.first < today < period.end
    reported(one, (clock(), 60, 5), (datetime(2031, 2, 27, 23, tzinfo=UTC), 600, 50))
    assert overview(company).plan is None
    assert service.usage_queries.overview(company.account_id).first_day == today.replace(day=1)
    service.usage.set_plan(company.account_id, Plan(1, 1, FIRST), PORTAL)
    service.usage.set_plan(company.account_id, plan, PORTAL)

    assert overview(company).plan == PlanStanding(plan, period, Usage(60, 5))
    running = service.usage_queries.overview(company.account_id)
    assert (running.first_day, running.last_day, running.total) == (period.first, today, Usage(60, 5))


def test_other_accounts_are_apart(service: Service, company: Company) -> None:
    """Each has its own use and its own plan."""
    other = Company.register(service)
    reported(company.let_in(), (NOON, 60, 1))
    reported(other.let_in(), (NOON, 120, 2))
    service.usage.set_plan(other.account_id, Plan(1, 1, FIRST), PORTAL)
    assert (overview(company).total, overview(company).plan) == (Usage(60, 1), None)
    assert overview(other).total == Usage(120, 2)


def test_what_is_refused(service: Service, company: Company) -> None:
    """An account that is not there, days in the wrong order, and more than 366 of them."""
    catch_up(service)
    with pytest.raises(AccountNotFound):
        service.usage_queries.overview(uuid4())
    for last in (FIRST - timedelta(days=1), FIRST + timedelta(days=366)):
        with pytest.raises(InvalidValue, match="until"):
            service.usage_queries.overview(company.account_id, FIRST, last)
    assert len(overview(company, FIRST, FIRST + timedelta(days=365)).days) == 366


def test_the_ends_of_the_calendar(company: Company) -> None:
    """They are days like others."""
    one = company.let_in()
    reported(one, (datetime.min.replace(tzinfo=UTC), 60, 1), (datetime.max.replace(tzinfo=UTC), 60, 1))
    assert overview(company, date.min, date.min).total == Usage(60, 1)
    assert overview(company, date.max, date.max).total == Usage(60, 1)


def test_sums_beyond_what_a_float_can_tell_apart(company: Company) -> None:
    """They are exact."""
    one = company.let_in()
    reported(one, *[(NOON, 6_000_000_000, 10**15)] * 100, (NOON, 60, 1))
    assert overview(company).total == Usage(600_000_000_060, 10**17 + 1)


@pytest.mark.usefixtures("followers")
def test_reads_are_never_stale(service: Service, company: Company) -> None:
    """What was recorded before is counted."""
    one = company.let_in()
    for n in range(1, 6):
        reported(one, (NOON, 60, 1))
        assert service.usage_queries.overview(company.account_id, FIRST, LAST).total == Usage(60 * n, n)


def test_usage_is_in_the_audit_log(service: Service, company: Company) -> None:
    """As something that the sub-user did, with what was used; plans and thresholds are there too."""
    one = company.let_in()
    service.usage.set_plan(company.account_id, Plan(0, 1, service.clock().date()), PORTAL)
    service.usage.record(company.account_id, [UsageReport(one.sub_user_id, 60, 1)], PORTAL)
    catch_up(service)
    while service.usage.check_next():
        catch_up(service)
    catch_up(service)
    rows, _ = service.audit_queries.page(company.account_id, AuditFilter(), 4, None)
    assert [(row.action, row.actor["type"], row.sub_user_id) for row in rows] == [
        ("main_account.usage_threshold_reached", "system", None),
        ("main_account.usage_threshold_reached", "system", None),
        ("sub_user.usage_recorded", "sub_user", one.sub_user_id),
        ("main_account.plan_set", "main_account", None),
    ]
    assert rows[2].details == {"conversation_ms": 60, "llm_tokens": 1}
    assert (rows[2].actor["name"], rows[2].ip) == ("Grace Hopper", PORTAL.ip)
    one.delete()
    catch_up(service)
    erased, _ = service.audit_queries.page(company.account_id, AuditFilter(action="sub_user.usage_recorded"), 4, None)
    assert (erased[0].actor["name"], erased[0].ip, erased[0].details) == (ERASED, ERASED, rows[2].details)


def test_what_the_follower_adds_while_an_account_is_looked_at(
    service: Service, company: Company, database_url: str
) -> None:
    """It waits for the look to end, and the account is due again."""
    one = company.let_in()
    reported(one, (service.clock(), 60, 1))
    catch_up(service, "usage")
    reported(one, (service.clock(), 60, 1))
    follower = follower_of(service)
    with connect(database_url) as connection:
        adding = threading.Thread(target=follower.step, args=[connection])
        with service.usage._counts.due(service.clock().date()) as account_id:  # noqa: SLF001  # to stand still in it
            assert account_id == company.account_id
            adding.start()
            eventually(lambda: ask(database_url, "SELECT 1 FROM pg_locks WHERE NOT granted"))
        adding.join()
    assert ask(database_url, "SELECT account_id FROM usage_checks") == [(company.account_id,)]


def test_what_the_follower_is_about_to_add_is_not_looked_at_too_early(
    service: Service, company: Company, database_url: str
) -> None:
    """An account that was due before is left alone until that is to be seen."""
    one = company.let_in()
    reported(one, (service.clock(), 60, 1))
    catch_up(service, "usage")
    reported(one, (service.clock(), 60, 1))
    with connect(database_url) as connection, connection.transaction():
        follower_of(service).step(connection)
        assert not service.usage.check_next()
    assert service.usage.check_next()


def test_an_abandoned_batch_counts_nothing(service: Service, company: Company, database_url: str) -> None:
    """It is applied again, and counts once."""
    one = company.let_in()
    catch_up(service)
    reported(one, (NOON, 60, 1))
    with connect(database_url) as connection, connection.transaction(force_rollback=True):
        assert follower_of(service).step(connection) == 1
    assert overview(company).total == Usage(60, 1)


@pytest.mark.parametrize("at_a_time", [1, 3, 500])
def test_rebuilding_changes_nothing(service: Service, company: Company, database_url: str, at_a_time: int) -> None:
    """Nor does how many events are applied at a time."""
    people = [company.let_in(), company.let_in(), Company.register(service).let_in()]
    for n, one in enumerate(people * 7):
        reported(one, (NOON + timedelta(hours=5 * n), 60 * n, n))
    for minutes in (1, 2):
        service.usage.set_plan(company.account_id, Plan(minutes, 1, FIRST), PORTAL)
    follower = follower_of(service)
    with connect(database_url) as connection:
        connection.execute("INSERT INTO followers (name) VALUES ('usage')")
        while follower.step(connection, at_a_time):
            pass
    counted = contents(database_url)
    assert all(counted)
    with connect(database_url) as connection:
        rebuild(follower.view, connection, lambda _, __: None)
    assert contents(database_url) == counted


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # every example has an account of its own
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
def test_sums_are_those_of_adding_one_by_one(
    service: Service, reports: list[tuple[int, int, int, int]], sizes: list[int], *, deleted: bool
) -> None:
    """However the reports are bundled, and however many events are applied at a time."""
    company = Company.register(service)
    people = [company.let_in(), company.let_in(visible=False), company.let_in()]
    midnight = datetime(2026, 5, 1, tzinfo=UTC)
    rest = [
        UsageReport(people[who].sub_user_id, ms, tokens, midnight + timedelta(minutes=minute))
        for who, minute, ms, tokens in reports
    ]
    bundles = 0
    while rest:
        size = sizes[bundles % len(sizes)]
        service.usage.record(company.account_id, rest[:size], PORTAL)
        rest, bundles = rest[size:], bundles + 1
    with connect(service.settings.database_url or "") as connection:
        connection.execute("INSERT INTO followers (name) VALUES ('usage') ON CONFLICT DO NOTHING")
        while follower_of(service).step(connection, sizes[0]):
            pass
    if deleted:
        people[2].delete()

    per_day: Counter[tuple[date, str]] = Counter()
    per_person: Counter[tuple[int, str]] = Counter()
    for who, minute, ms, tokens in reports:
        day = (midnight + timedelta(minutes=minute)).date()
        if FIRST <= day <= LAST:
            per_day += Counter({(day, "ms"): ms, (day, "tokens"): tokens})
            per_person += Counter({(who, "ms"): ms, (who, "tokens"): tokens})

    found = overview(company, visibility="all")

    assert [day.used for day in found.days] == [
        Usage(per_day[day.day, "ms"], per_day[day.day, "tokens"]) for day in found.days
    ]
    expected = {people[who].sub_user_id: Usage(per_person[who, "ms"], per_person[who, "tokens"]) for who in range(3)}
    gone = expected.pop(people[2].sub_user_id) if deleted else Usage()
    assert found.deleted == gone
    shown = {one.sub_user_id: one.used for one in found.sub_users}
    assert shown == {who: so_much for who, so_much in expected.items() if so_much != Usage() or who in shown}
    assert found.total == sum(shown.values(), gone)
