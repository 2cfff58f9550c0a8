"""Audit charts: logins and activities per day and per person, in the reader's time zone."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.maintenance.migrations import migrations
from api.bootstrap import connections, maintenance
from application.commands.activities import Activity
from application.commands.resources import ERASED
from application.errors import InvalidValue
from domain.refusals import AccountNotFound, LoginRefused
from projections.audit_log.counts import DayCount, PersonCount
from projections.runtime.rebuild import rebuild
from tests.builders import PORTAL, Company, catch_up
from tests.postgres import connect, fetch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from api.bootstrap.service import Service
    from tests.builders import SubUserHandle
    from tests.conftest import TravelingClock

ROME = ZoneInfo("Europe/Rome")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
CALENDAR_ENDS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
TABLES = ("audit_counts", "audit_day_counts")


def record_activities(sub_user: SubUserHandle, *times: datetime) -> None:
    """Record one activity of the sub-user at each of these times."""
    company = sub_user.company
    activities = [Activity(sub_user.sub_user_id, "assistant.opened", occurred_at=time) for time in times]
    company.service.commands.activities.record(company.account_id, activities, PORTAL)
    catch_up(company.service)


def activities_per_day(
    company: Company, zone: ZoneInfo, first: date, last: date, sub_user: SubUserHandle | None = None
) -> dict[date, int]:
    """Return the number of activities of each day that has any."""
    days = company.service.queries.audit_counts.per_day(
        company.account_id, zone, first, last, sub_user.sub_user_id if sub_user is not None else None
    )
    return {day.day: day.activities for day in days if day.activities}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def contents(url: str) -> list[list[tuple[str, ...]]]:
    return [fetch(url, f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES]  # noqa: S608  # one of two names


def test_account_without_activities_has_zero_counts(service: Service, company: Company) -> None:
    """Every day is listed, and no person."""
    company.create_sub_user()
    catch_up(service)
    first, last = date(2026, 2, 27), date(2026, 3, 2)

    assert service.queries.audit_counts.per_day(company.account_id, ROME, first, last) == [
        DayCount(day, 0, 0) for day in (first, date(2026, 2, 28), date(2026, 3, 1), last)
    ]
    assert service.queries.audit_counts.per_person(company.account_id, ROME, first, last) == []


def test_logins_and_activities_are_counted(service: Service, company: Company, clock: TravelingClock) -> None:
    """Counts are per person, most active first, and in total. Refused logins do not count."""
    clock.advance(hours=36 - clock().hour)  # midday, to stay within one day
    ada = company.create_active(name="Ada", surname="Lovelace", visible=False)
    grace = company.create_active(name="Grace", surname="Hopper")
    company.create_sub_user(name="Idle")
    for sub_user in (ada, ada, grace):
        sub_user.log_in()
    with pytest.raises(LoginRefused):
        ada.log_in("wrong password")
    now = clock()
    record_activities(grace, now, now, now)
    record_activities(ada, now - timedelta(days=1))
    today = now.date()
    yesterday, utc_zone = today - timedelta(days=1), ZoneInfo("UTC")
    counts = service.queries.audit_counts

    sub_users = counts.per_person(company.account_id, utc_zone, yesterday, today)

    assert sub_users == [
        PersonCount(grace.sub_user_id, "Grace Hopper", True, 1, 3),
        PersonCount(ada.sub_user_id, "Ada Lovelace", False, 2, 1),
    ]
    assert counts.per_day(company.account_id, utc_zone, yesterday, today) == [
        DayCount(yesterday, 0, 1),
        DayCount(today, 3, 3),
    ]
    assert counts.per_day(company.account_id, utc_zone, yesterday, today, ada.sub_user_id) == [
        DayCount(yesterday, 0, 1),
        DayCount(today, 2, 0),
    ]
    assert counts.per_person(company.account_id, utc_zone, yesterday, yesterday) == [
        PersonCount(ada.sub_user_id, "Ada Lovelace", False, 0, 1)
    ]


def test_days_with_a_clock_change_have_23_or_25_hours(service: Service, company: Company) -> None:
    """In Rome, 29 March 2026 has 23 hours and 25 October 2026 has 25."""
    sub_user = company.create_sub_user()
    hours = [utc("2026-03-28T00:30") + timedelta(hours=n) for n in range(72)]
    hours += [utc("2026-10-24T00:30") + timedelta(hours=n) for n in range(72)]
    record_activities(sub_user, *hours)

    assert activities_per_day(company, ROME, date(2026, 3, 28), date(2026, 3, 30)) == {
        date(2026, 3, 28): 23,  # its first hour was 27 March in UTC
        date(2026, 3, 29): 23,
        date(2026, 3, 30): 24,
    }
    assert activities_per_day(company, ROME, date(2026, 10, 24), date(2026, 10, 26)) == {
        date(2026, 10, 24): 22,
        date(2026, 10, 25): 25,
        date(2026, 10, 26): 24,
    }
    (person,) = service.queries.audit_counts.per_person(
        company.account_id, ROME, date(2026, 10, 25), date(2026, 10, 25)
    )
    assert person.activities == 25


def test_zone_with_a_45_minute_offset(service: Service, company: Company) -> None:
    """In Kathmandu the day begins at 18:15 UTC."""
    sub_user = company.create_sub_user()
    record_activities(
        sub_user, utc("2026-05-01T18:14:59.999999"), utc("2026-05-01T18:15"), utc("2026-05-02T18:14:59.999999")
    )
    first, last = date(2026, 5, 1), date(2026, 5, 2)

    assert activities_per_day(company, KATHMANDU, first, last) == {first: 1, last: 2}
    (person,) = service.queries.audit_counts.per_person(company.account_id, KATHMANDU, last, last)
    assert person.activities == 2


def test_day_skipped_by_a_zone_has_no_counts(service: Service, company: Company) -> None:
    """Samoa skipped 30 December 2011 when it crossed the date line."""
    sub_user = company.create_sub_user()
    record_activities(sub_user, utc("2011-12-30T09:59"), utc("2011-12-30T10:00"))
    apia = ZoneInfo("Pacific/Apia")

    assert service.queries.audit_counts.per_day(company.account_id, apia, date(2011, 12, 29), date(2011, 12, 31)) == [
        DayCount(date(2011, 12, 29), 0, 1),
        DayCount(date(2011, 12, 30), 0, 0),
        DayCount(date(2011, 12, 31), 0, 1),
    ]
    assert (
        service.queries.audit_counts.per_person(company.account_id, apia, date(2011, 12, 30), date(2011, 12, 30)) == []
    )


def test_first_and_last_day_of_the_calendar_are_counted(service: Service, company: Company) -> None:
    """A day that does not fit into the calendar in UTC is refused."""
    sub_user = company.create_sub_user()
    record_activities(sub_user, *CALENDAR_ENDS)
    zone = ZoneInfo("UTC")

    assert activities_per_day(company, zone, date.min, date.min) == {date.min: 1}
    for first, last, day_zone in ((date.min, date.min, KATHMANDU), (date.max, date.max, zone)):
        with pytest.raises(InvalidValue, match="last"):
            service.queries.audit_counts.per_day(company.account_id, day_zone, first, last)


def test_erased_sub_user_stays_in_the_counts(service: Service, company: Company) -> None:
    """Totals include them, and their own counts have their id but no name."""
    sub_user = company.create_sub_user(name="Canary", surname="Bird")
    moment = utc("2026-05-01T12:00")
    record_activities(sub_user, moment)
    sub_user.delete()
    catch_up(service)
    day = moment.date()

    sub_users = service.queries.audit_counts.per_person(company.account_id, ROME, day, day)

    assert sub_users == [PersonCount(sub_user.sub_user_id, ERASED, True, 0, 1)]
    assert activities_per_day(company, ROME, day, day) == {day: 1}
    assert activities_per_day(company, ROME, day, day, sub_user) == {day: 1}


def test_counts_of_other_accounts_are_not_included(service: Service, company: Company) -> None:
    """A sub-user of another account has no counts."""
    moment = utc("2026-05-01T12:00")
    record_activities(company.create_sub_user(), moment)
    other = Company.register(service)
    stranger = other.create_sub_user()
    record_activities(stranger, moment, moment)
    day = moment.date()

    assert activities_per_day(company, ROME, day, day) == {day: 1}
    assert activities_per_day(company, ROME, day, day, stranger) == {}
    assert activities_per_day(other, ROME, day, day) == {day: 2}
    assert len(service.queries.audit_counts.per_person(company.account_id, ROME, day, day)) == 1


def test_unknown_account_and_invalid_days_are_refused(service: Service, company: Company) -> None:
    """Days are invalid in the wrong order, or if there are more than 366."""
    catch_up(service)
    counts, first = service.queries.audit_counts, date(2026, 1, 1)
    for read in (counts.per_day, counts.per_person):
        with pytest.raises(AccountNotFound):
            read(uuid4(), ROME, first, first)
        for last in (first - timedelta(days=1), first + timedelta(days=366)):
            with pytest.raises(InvalidValue, match="last"):
                read(company.account_id, ROME, first, last)
    assert len(counts.per_day(company.account_id, ROME, first, first + timedelta(days=365))) == 366


@pytest.mark.usefixtures("followers")
def test_counts_include_all_earlier_activities(service: Service, company: Company) -> None:
    sub_user = company.create_sub_user()
    moment = utc("2026-05-01T12:00")
    for n in range(1, 6):
        service.commands.activities.record(
            company.account_id, [Activity(sub_user.sub_user_id, "a.b", occurred_at=moment)], PORTAL
        )
        assert activities_per_day(company, ROME, moment.date(), moment.date()) == {moment.date(): n}


@pytest.mark.parametrize("at_a_time", [1, 3, 7, 500])
def test_counts_do_not_depend_on_batch_sizes(
    service: Service, company: Company, database_url: str, at_a_time: int
) -> None:
    """A rebuild results in the same counts."""
    sub_users = [company.create_sub_user(), company.create_with_own_password()]
    sub_users[1].log_in()
    rng = random.Random(1)
    activities = [
        Activity(rng.choice(sub_users).sub_user_id, "a.b", occurred_at=utc("2026-05-01T12:00") + timedelta(minutes=n))
        for n in range(40)
    ]
    service.commands.activities.record(company.account_id, activities, PORTAL)
    audit_log = next(follower for follower in service.workers.followers if follower.view.name == "audit-log")
    with connections.connect(database_url, "follower") as connection:
        connection.execute("INSERT INTO followers (name) VALUES ('audit-log')")
        while audit_log.step(connection, at_a_time):
            pass
    counts = contents(database_url)
    assert all(counts)

    with connect(database_url) as connection:
        rebuild(audit_log.view, connection, lambda _, __: None)

    assert contents(database_url) == counts


def test_rolled_back_batch_is_counted_once(service: Service, company: Company, database_url: str) -> None:
    """The follower applies the batch again."""
    sub_user = company.create_sub_user()
    moment = utc("2026-05-01T12:00")
    record_activities(sub_user, moment)
    service.commands.activities.record(
        company.account_id, [Activity(sub_user.sub_user_id, "a.b", occurred_at=moment)], PORTAL
    )
    audit_log = next(follower for follower in service.workers.followers if follower.view.name == "audit-log")
    with connect(database_url) as connection, connection.transaction(force_rollback=True):
        assert audit_log.step(connection) == 1
    catch_up(service)

    assert activities_per_day(company, ROME, moment.date(), moment.date()) == {moment.date(): 2}


def count_per_day(moments: Iterable[datetime], zone: ZoneInfo, first: date, last: date) -> dict[date, int]:
    """Count the moments of each day in the zone."""
    days = Counter(moment.astimezone(zone).date() for moment in moments)
    return {day: count for day, count in days.items() if first <= day <= last}


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example registers its own account
)
@given(
    zone=st.sampled_from(sorted(available_timezones())).map(ZoneInfo),
    first=st.dates(date(2012, 1, 1), date(2037, 1, 1)),
    days=st.integers(1, 366),
    minutes=st.lists(st.integers(-3 * 24 * 60, 369 * 24 * 60) | st.integers(-3 * 24 * 60, 4 * 24 * 60), max_size=60),
)
def test_counts_match_a_brute_force_count(
    service: Service, zone: ZoneInfo, first: date, days: int, minutes: list[int]
) -> None:
    """Zones, days and times are random."""
    company = Company.register(service)
    sub_users = [company.create_sub_user(), company.create_sub_user()]
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    moments = [midnight + timedelta(minutes=minute) for minute in minutes]
    last = first + timedelta(days=days - 1)
    times_by_sub_user = [(sub_users[0], moments[::2]), (sub_users[1], moments[1::2])]

    for sub_user, times in times_by_sub_user:
        record_activities(sub_user, *times)

    assert activities_per_day(company, zone, first, last) == count_per_day(moments, zone, first, last)
    expected: dict[UUID, int] = {}
    for sub_user, times in times_by_sub_user:
        per_day = count_per_day(times, zone, first, last)
        assert activities_per_day(company, zone, first, last, sub_user) == per_day
        if per_day:
            expected[sub_user.sub_user_id] = sum(per_day.values())
    counts = service.queries.audit_counts.per_person(company.account_id, zone, first, last)
    assert {person.sub_user_id: person.activities for person in counts} == expected


@pytest.mark.parametrize("applied_events", [0, 5, 500])
def test_migration_counts_the_existing_rows(
    service: Service, company: Company, database_url: str, applied_events: int
) -> None:
    """The migration that adds the tables counts the rows applied so far; the follower counts the rest."""
    sub_users = [company.create_with_own_password(), Company.register(service).create_with_own_password()]
    for sub_user in sub_users:
        sub_user.log_in()
        moments = [utc("2026-05-01T12:00") + timedelta(minutes=7 * n) for n in range(20)]
        activities = [Activity(sub_user.sub_user_id, "a.b", occurred_at=moment) for moment in moments]
        service.commands.activities.record(
            sub_user.company.account_id,
            [*activities, *(Activity(sub_user.sub_user_id, "c.d", occurred_at=end) for end in CALENDAR_ENDS)],
            PORTAL,
        )
    audit_log = next(follower for follower in service.workers.followers if follower.view.name == "audit-log")
    with connections.connect(database_url, "follower") as connection:
        connection.execute("INSERT INTO followers (name) VALUES ('audit-log')")
        if applied_events:
            audit_log.step(connection, applied_events)
    (migration_sql,) = (migration.sql for migration in migrations() if migration.name.endswith("_audit_counts.sql"))

    fetch(database_url, "DROP TABLE audit_counts, audit_day_counts")
    fetch(database_url, migration_sql)
    maintenance.run_migrations(service.settings)  # grants the service its privileges
    catch_up(service)

    counts = contents(database_url)
    with connect(database_url) as connection:
        rebuild(audit_log.view, connection, lambda _, __: None)
    assert contents(database_url) == counts
    assert all(counts)


def test_actions_of_an_account_are_sorted_and_distinct(service: Service, company: Company) -> None:
    """Actions of other accounts are not included."""
    sub_user = company.create_sub_user()
    actions = ["tool.used", "assistant.opened", "tool.used", "É.opened", "Zebra"]
    service.commands.activities.record(
        company.account_id, [Activity(sub_user.sub_user_id, action) for action in actions], PORTAL
    )
    other = Company.register(service)
    stranger = other.create_sub_user()
    service.commands.activities.record(other.account_id, [Activity(stranger.sub_user_id, "other.action")], PORTAL)
    catch_up(service)

    assert service.queries.audit_log.actions(company.account_id) == [
        "Zebra",
        "assistant.opened",
        "main_account.registered",
        "sub_user.created",
        "tool.used",
        "É.opened",
    ]
    with pytest.raises(AccountNotFound):
        service.queries.audit_log.actions(uuid4())
