"""The audit log ends where its retention says, and the history does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from psycopg import sql

from api import bootstrap
from application.activities import Activity
from projections import audit_retention
from projections.audit_queries import AuditFilter
from projections.event_feed import FeedFilter
from projections.rebuild import rebuild
from tests.people import PORTAL, Company, catch_up
from tests.postgres import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from api.config import Settings
    from tests.conftest import TravelingClock

TABLES = ("audit_view", "audit_counts", "audit_day_counts", "audit_older")
HISTORY = "SELECT md5(string_agg(e::text, ',' ORDER BY notification_id)), count(*) FROM stored_events e"


@pytest.fixture
def ending(build: Callable[..., Service], settings: Settings) -> Service:
    """Give a service whose audit log shows the last 30 days."""
    return build(replace(settings, audit_retention=timedelta(days=30)))


def live(service: Service, clock: TravelingClock) -> Company:
    """Return a company in which something happened 40 days ago, and something since then."""
    company = Company.register(service)
    one = company.let_in_settled()
    service.activities.record(company.account_id, [Activity(one.sub_user_id, "long.ago")] * 3, PORTAL)
    catch_up(service)
    clock.advance(days=40)
    told = [Activity(one.sub_user_id, "told.late", occurred_at=clock() - timedelta(days=39))]
    service.activities.record(company.account_id, [Activity(one.sub_user_id, "just.now"), *told], PORTAL)
    catch_up(service)
    return company


def actions(service: Service, company: Company) -> list[str]:
    return [row.action for row in service.audit_queries.stream(company.account_id, AuditFilter())]


def contents(url: str) -> dict[str, list[tuple[str, ...]]]:
    rows = sql.SQL("SELECT t::text FROM {} t ORDER BY 1")
    return {table: ask(url, rows.format(sql.Identifier(table)).as_string()) for table in TABLES}


def test_what_was_recorded_before_goes_from_the_log_alone(
    ending: Service, clock: TravelingClock, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In small steps, from rows and charts; the history, the feed and what a person is told of themselves have all."""
    monkeypatch.setattr(audit_retention, "ROWS_A_STEP", 2)
    company = live(ending, clock)
    wanted = FeedFilter(None, company.account_id)
    before, events = ask(database_url, HISTORY), ending.event_feed.page(0, 100, wanted).items
    (one,) = company.state().sub_users
    told = len(list(ending.audit_queries.stream(company.account_id, AuditFilter(one))))

    steps = [ending.audit_retention.step(ending.database) for _ in range(50)]

    assert max(steps) <= 2 + 96 * 2
    assert steps[-1] == 0
    assert sorted(actions(ending, company)) == ["just.now", "told.late"]
    assert len(list(ending.audit_queries.older(company.account_id, one))) == told - 2
    assert ask(database_url, HISTORY) == before
    assert ending.event_feed.page(0, 100, wanted).items == events
    today = clock().astimezone(UTC).date()
    days = ending.audit_counts.per_day(company.account_id, ZoneInfo("UTC"), today - timedelta(days=50), today)
    assert sum(day.activities for day in days) == 1
    assert sum(day.logins for day in days) == 0


def test_a_rebuild_comes_to_the_same(ending: Service, clock: TravelingClock, database_url: str) -> None:
    """Nothing is there again that had gone."""
    live(ending, clock)
    while ending.clear_away():
        pass
    before = contents(database_url)
    assert before["audit_older"] != []
    view = next(view for view in ending.views if view.name == "audit-log")

    with bootstrap.connect(database_url, "rebuild") as connection:
        rebuild(view, connection, lambda _, __: None)

    assert contents(database_url) == before


def test_it_is_kept_for_ever_unless_somebody_says_otherwise(service: Service, clock: TravelingClock) -> None:
    """However long that is."""
    company = live(service, clock)
    clock.advance(days=9999)
    service.clear_away()

    assert actions(service, company).count("long.ago") == 3
