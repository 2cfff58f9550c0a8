"""What charts show: logins and activities per day and per person, in the days of whoever looks."""

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

from adapters.postgres.migrations import migrations
from api import bootstrap
from application.activities import Activity
from application.errors import InvalidValue
from application.resources import ERASED
from domain.refusals import AccountNotFound, LoginRefused
from projections.audit_counts import DayCount, PersonCount
from projections.rebuild import rebuild
from tests.people import PORTAL, Company, catch_up
from tests.postgres import ask, connect

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from api.bootstrap import Service
    from tests.conftest import TravelingClock
    from tests.people import Collaborator

ROME = ZoneInfo("Europe/Rome")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
ENDS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
TABLES = ("audit_counts", "audit_day_counts")


def did(one: Collaborator, *moments: datetime) -> None:
    """Have the portal report that they did something at each of these moments."""
    company = one.company
    activities = [Activity(one.sub_user_id, "assistant.opened", occurred_at=moment) for moment in moments]
    company.service.activities.record(company.account_id, activities, PORTAL)
    catch_up(company.service)


def activities_per_day(
    company: Company, zone: ZoneInfo, first: date, last: date, one: Collaborator | None = None
) -> dict[date, int]:
    """Return the days that had any."""
    days = company.service.audit_counts.per_day(
        company.account_id, zone, first, last, one.sub_user_id if one is not None else None
    )
    return {day.day: day.activities for day in days if day.activities}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def contents(url: str) -> list[list[tuple[str, ...]]]:
    return [ask(url, f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES]  # noqa: S608  # one of two names


def test_an_account_in_which_nothing_happened(service: Service, company: Company) -> None:
    """It has every day, with nothing in it, and nobody."""
    company.let_in()
    catch_up(service)
    first, last = date(2026, 2, 27), date(2026, 3, 2)

    assert service.audit_counts.per_day(company.account_id, ROME, first, last) == [
        DayCount(day, 0, 0) for day in (first, date(2026, 2, 28), date(2026, 3, 1), last)
    ]
    assert service.audit_counts.per_person(company.account_id, ROME, first, last) == []


def test_logins_and_activities(service: Service, company: Company, clock: TravelingClock) -> None:
    """Of each person, and of all together; whoever did most comes first. Refused logins are none."""
    clock.advance(hours=36 - clock().hour)  # midday, so that no midnight comes between
    ada = company.let_in_active(name="Ada", surname="Lovelace", visible=False)
    grace = company.let_in_active(name="Grace", surname="Hopper")
    company.let_in(name="Idle")
    for one in (ada, ada, grace):
        one.log_in()
    with pytest.raises(LoginRefused):
        ada.log_in("not the right one")
    now = clock()
    did(grace, now, now, now)
    did(ada, now - timedelta(days=1))
    today = now.date()
    yesterday, utc_zone = today - timedelta(days=1), ZoneInfo("UTC")
    counts = service.audit_counts

    people = counts.per_person(company.account_id, utc_zone, yesterday, today)

    assert people == [
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


def test_days_on_which_the_clocks_change(service: Service, company: Company) -> None:
    """In Rome 29 March 2026 has 23 hours, and 25 October 25: the days around them begin and end with them."""
    one = company.let_in()
    hours = [utc("2026-03-28T00:30") + timedelta(hours=n) for n in range(72)]
    hours += [utc("2026-10-24T00:30") + timedelta(hours=n) for n in range(72)]
    did(one, *hours)

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
    (person,) = service.audit_counts.per_person(company.account_id, ROME, date(2026, 10, 25), date(2026, 10, 25))
    assert person.activities == 25


def test_a_zone_that_is_three_quarters_of_an_hour_off(service: Service, company: Company) -> None:
    """In Kathmandu the day begins at 18:15 UTC, to the microsecond."""
    one = company.let_in()
    did(one, utc("2026-05-01T18:14:59.999999"), utc("2026-05-01T18:15"), utc("2026-05-02T18:14:59.999999"))
    first, last = date(2026, 5, 1), date(2026, 5, 2)

    assert activities_per_day(company, KATHMANDU, first, last) == {first: 1, last: 2}
    (person,) = service.audit_counts.per_person(company.account_id, KATHMANDU, last, last)
    assert person.activities == 2


def test_a_day_that_never_was(service: Service, company: Company) -> None:
    """Samoa went from 29 to 31 December 2011."""
    one = company.let_in()
    did(one, utc("2011-12-30T09:59"), utc("2011-12-30T10:00"))
    apia = ZoneInfo("Pacific/Apia")

    assert service.audit_counts.per_day(company.account_id, apia, date(2011, 12, 29), date(2011, 12, 31)) == [
        DayCount(date(2011, 12, 29), 0, 1),
        DayCount(date(2011, 12, 30), 0, 0),
        DayCount(date(2011, 12, 31), 0, 1),
    ]
    assert service.audit_counts.per_person(company.account_id, apia, date(2011, 12, 30), date(2011, 12, 30)) == []


def test_moments_at_the_ends_of_the_calendar(service: Service, company: Company) -> None:
    """They are counted, and days beyond the calendar are refused."""
    one = company.let_in()
    did(one, *ENDS)
    zone = ZoneInfo("UTC")

    assert activities_per_day(company, zone, date.min, date.min) == {date.min: 1}
    for first, last, where in ((date.min, date.min, KATHMANDU), (date.max, date.max, zone)):
        with pytest.raises(InvalidValue, match="last"):
            service.audit_counts.per_day(company.account_id, where, first, last)


def test_somebody_erased_stays(service: Service, company: Company) -> None:
    """In the totals, and as their id without a name."""
    one = company.let_in(name="Canary", surname="Bird")
    moment = utc("2026-05-01T12:00")
    did(one, moment)
    one.delete()
    catch_up(service)
    day = moment.date()

    people = service.audit_counts.per_person(company.account_id, ROME, day, day)

    assert people == [PersonCount(one.sub_user_id, ERASED, True, 0, 1)]
    assert activities_per_day(company, ROME, day, day) == {day: 1}
    assert activities_per_day(company, ROME, day, day, one) == {day: 1}


def test_other_accounts_are_apart(service: Service, company: Company) -> None:
    """Also where one asks for somebody of the other."""
    moment = utc("2026-05-01T12:00")
    did(company.let_in(), moment)
    other = Company.register(service)
    stranger = other.let_in()
    did(stranger, moment, moment)
    day = moment.date()

    assert activities_per_day(company, ROME, day, day) == {day: 1}
    assert activities_per_day(company, ROME, day, day, stranger) == {}
    assert activities_per_day(other, ROME, day, day) == {day: 2}
    assert len(service.audit_counts.per_person(company.account_id, ROME, day, day)) == 1


def test_what_is_refused(service: Service, company: Company) -> None:
    """An account that is not there, days in the wrong order, and more than 366 of them."""
    catch_up(service)
    counts, first = service.audit_counts, date(2026, 1, 1)
    for read in (counts.per_day, counts.per_person):
        with pytest.raises(AccountNotFound):
            read(uuid4(), ROME, first, first)
        for last in (first - timedelta(days=1), first + timedelta(days=366)):
            with pytest.raises(InvalidValue, match="last"):
                read(company.account_id, ROME, first, last)
    assert len(counts.per_day(company.account_id, ROME, first, first + timedelta(days=365))) == 366


@pytest.mark.usefixtures("followers")
def test_reads_are_never_stale(service: Service, company: Company) -> None:
    """What was recorded before is counted."""
    one = company.let_in()
    moment = utc("2026-05-01T12:00")
    for n in range(1, 6):
        service.activities.record(company.account_id, [Activity(one.sub_user_id, "a.b", occurred_at=moment)], PORTAL)
        assert activities_per_day(company, ROME, moment.date(), moment.date()) == {moment.date(): n}


@pytest.mark.parametrize("at_a_time", [1, 3, 7, 500])
def test_counts_do_not_depend_on_batches(service: Service, company: Company, database_url: str, at_a_time: int) -> None:
    """Nor does making them anew change them."""
    people = [company.let_in(), company.let_in_settled()]
    people[1].log_in()
    chance = random.Random(1)
    activities = [
        Activity(chance.choice(people).sub_user_id, "a.b", occurred_at=utc("2026-05-01T12:00") + timedelta(minutes=n))
        for n in range(40)
    ]
    service.activities.record(company.account_id, activities, PORTAL)
    audit_log = next(follower for follower in service.followers if follower.view.name == "audit-log")
    with bootstrap.connect(database_url, "follower") as connection:
        connection.execute("INSERT INTO followers (name) VALUES ('audit-log')")
        while audit_log.step(connection, at_a_time):
            pass
    counted = contents(database_url)
    assert all(counted)

    with connect(database_url) as connection:
        rebuild(audit_log.view, connection, lambda _, __: None)

    assert contents(database_url) == counted


def test_a_batch_that_comes_to_nothing_counts_nothing(service: Service, company: Company, database_url: str) -> None:
    """It is applied again, and counts once."""
    one = company.let_in()
    moment = utc("2026-05-01T12:00")
    did(one, moment)
    service.activities.record(company.account_id, [Activity(one.sub_user_id, "a.b", occurred_at=moment)], PORTAL)
    audit_log = next(follower for follower in service.followers if follower.view.name == "audit-log")
    with connect(database_url) as connection, connection.transaction(force_rollback=True):
        assert audit_log.step(connection) == 1
    catch_up(service)

    assert activities_per_day(company, ROME, moment.date(), moment.date()) == {moment.date(): 2}


def brute_force(moments: Iterable[datetime], zone: ZoneInfo, first: date, last: date) -> dict[date, int]:
    """Count one by one."""
    days = Counter(moment.astimezone(zone).date() for moment in moments)
    return {day: count for day, count in days.items() if first <= day <= last}


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # every example has an account of its own
)
@given(
    zone=st.sampled_from(sorted(available_timezones())).map(ZoneInfo),
    first=st.dates(date(2012, 1, 1), date(2037, 1, 1)),
    days=st.integers(1, 366),
    minutes=st.lists(st.integers(-3 * 24 * 60, 369 * 24 * 60) | st.integers(-3 * 24 * 60, 4 * 24 * 60), max_size=60),
)
def test_counts_are_those_of_counting_one_by_one(
    service: Service, zone: ZoneInfo, first: date, days: int, minutes: list[int]
) -> None:
    """In any zone, whenever its days begin and however long they are."""
    company = Company.register(service)
    people = [company.let_in(), company.let_in()]
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    moments = [midnight + timedelta(minutes=minute) for minute in minutes]
    last = first + timedelta(days=days - 1)
    by_person = [(people[0], moments[::2]), (people[1], moments[1::2])]

    for one, theirs in by_person:
        did(one, *theirs)

    assert activities_per_day(company, zone, first, last) == brute_force(moments, zone, first, last)
    expected: dict[UUID, int] = {}
    for one, theirs in by_person:
        per_day = brute_force(theirs, zone, first, last)
        assert activities_per_day(company, zone, first, last, one) == per_day
        if per_day:
            expected[one.sub_user_id] = sum(per_day.values())
    found = service.audit_counts.per_person(company.account_id, zone, first, last)
    assert {person.sub_user_id: person.activities for person in found} == expected


@pytest.mark.parametrize("followed", [0, 5, 500])
def test_an_older_database_is_counted(service: Service, company: Company, database_url: str, followed: int) -> None:
    """The script that adds the tables counts what the view has so far, whatever that is; the follower goes on."""
    people = [company.let_in_settled(), Company.register(service).let_in_settled()]
    for one in people:
        one.log_in()
        moments = [utc("2026-05-01T12:00") + timedelta(minutes=7 * n) for n in range(20)]
        activities = [Activity(one.sub_user_id, "a.b", occurred_at=moment) for moment in moments]
        service.activities.record(
            one.company.account_id,
            [*activities, *(Activity(one.sub_user_id, "c.d", occurred_at=at) for at in ENDS)],
            PORTAL,
        )
    audit_log = next(follower for follower in service.followers if follower.view.name == "audit-log")
    with bootstrap.connect(database_url, "follower") as connection:
        connection.execute("INSERT INTO followers (name) VALUES ('audit-log')")
        if followed:
            audit_log.step(connection, followed)
    (script,) = (migration.sql for migration in migrations() if migration.name.endswith("_audit_counts.sql"))

    ask(database_url, "DROP TABLE audit_counts, audit_day_counts")
    ask(database_url, script)
    bootstrap.run_migrations(service.settings)  # the service may use them
    catch_up(service)

    counted = contents(database_url)
    with connect(database_url) as connection:
        rebuild(audit_log.view, connection, lambda _, __: None)
    assert contents(database_url) == counted
    assert all(counted)


def test_the_actions_of_an_account(service: Service, company: Company) -> None:
    """Each once, sorted, and none of another account's."""
    one = company.let_in()
    words = ["tool.used", "assistant.opened", "tool.used", "É.opened", "Zebra"]
    service.activities.record(company.account_id, [Activity(one.sub_user_id, word) for word in words], PORTAL)
    other = Company.register(service)
    stranger = other.let_in()
    service.activities.record(other.account_id, [Activity(stranger.sub_user_id, "other.word")], PORTAL)
    catch_up(service)

    assert service.audit_queries.actions(company.account_id) == [
        "Zebra",
        "assistant.opened",
        "main_account.registered",
        "sub_user.created",
        "tool.used",
        "É.opened",
    ]
    with pytest.raises(AccountNotFound):
        service.audit_queries.actions(uuid4())
