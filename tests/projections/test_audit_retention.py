"""Audit retention: old rows leave the audit log; the event store keeps all events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from psycopg import sql

from api.bootstrap import connections
from application.commands.activities import Activity
from projections.audit_log import retention
from projections.audit_log.conditions import AuditFilter
from projections.feed.pages import FeedFilter
from projections.runtime.rebuild import rebuild
from tests.builders import PORTAL, Company, catch_up
from tests.postgres import fetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock

TABLES = ("audit_view", "audit_counts", "audit_day_counts", "audit_older")
HISTORY = "SELECT md5(string_agg(e::text, ',' ORDER BY notification_id)), count(*) FROM stored_events e"


@pytest.fixture
def service_with_retention(build: Callable[..., Service], settings: Settings) -> Service:
    """Return a service whose audit log covers the last 30 days."""
    return build(replace(settings, audit_retention=timedelta(days=30)))


def record_old_and_new_events(service: Service, clock: TravelingClock) -> Company:
    """Return a company with events from 40 days ago and from now."""
    company = Company.register(service)
    sub_user = company.create_with_own_password()
    service.commands.activities.record(company.account_id, [Activity(sub_user.sub_user_id, "long.ago")] * 3, PORTAL)
    catch_up(service)
    clock.advance(days=40)
    late_report = [Activity(sub_user.sub_user_id, "reported.late", occurred_at=clock() - timedelta(days=39))]
    service.commands.activities.record(
        company.account_id, [Activity(sub_user.sub_user_id, "just.now"), *late_report], PORTAL
    )
    catch_up(service)
    return company


def actions(service: Service, company: Company) -> list[str]:
    return [row.action for row in service.queries.audit_log.stream(company.account_id, AuditFilter())]


def contents(url: str) -> dict[str, list[tuple[str, ...]]]:
    rows = sql.SQL("SELECT t::text FROM {} t ORDER BY 1")
    return {table: fetch(url, rows.format(sql.Identifier(table)).as_string()) for table in TABLES}


def test_expired_rows_leave_only_the_audit_log(
    service_with_retention: Service, clock: TravelingClock, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are deleted in small steps, with their counts. History, feed and data subject access keep all events."""
    monkeypatch.setattr(retention, "MAX_ROWS_PER_STEP", 2)
    company = record_old_and_new_events(service_with_retention, clock)
    feed_filter = FeedFilter(None, company.account_id)
    before, events = fetch(database_url, HISTORY), service_with_retention.queries.events.page(0, 100, feed_filter).items
    (sub_user_id,) = company.state().sub_users
    row_count = len(list(service_with_retention.queries.audit_log.stream(company.account_id, AuditFilter(sub_user_id))))

    steps = [service_with_retention.workers.audit_retention.step(service_with_retention.database) for _ in range(50)]

    assert max(steps) <= 2 + 96 * 2
    assert steps[-1] == 0
    assert sorted(actions(service_with_retention, company)) == ["just.now", "reported.late"]
    assert (
        len(list(service_with_retention.queries.audit_log.rows_past_retention(company.account_id, sub_user_id)))
        == row_count - 2
    )
    assert fetch(database_url, HISTORY) == before
    assert service_with_retention.queries.events.page(0, 100, feed_filter).items == events
    today = clock().astimezone(UTC).date()
    days = service_with_retention.queries.audit_counts.per_day(
        company.account_id, ZoneInfo("UTC"), today - timedelta(days=50), today
    )
    assert sum(day.activities for day in days) == 1
    assert sum(day.logins for day in days) == 0


def test_rebuild_does_not_restore_expired_rows(
    service_with_retention: Service, clock: TravelingClock, database_url: str
) -> None:
    record_old_and_new_events(service_with_retention, clock)
    while service_with_retention.delete_expired():
        pass
    before = contents(database_url)
    assert before["audit_older"] != []
    view = next(view for view in service_with_retention.workers.views if view.name == "audit-log")

    with connections.connect(database_url, "rebuild") as connection:
        rebuild(view, connection, lambda _, __: None)

    assert contents(database_url) == before


def test_audit_log_is_unlimited_by_default(service: Service, clock: TravelingClock) -> None:
    company = record_old_and_new_events(service, clock)
    clock.advance(days=9999)
    service.delete_expired()

    assert actions(service, company).count("long.ago") == 3
