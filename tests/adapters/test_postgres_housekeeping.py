"""What has had its time is cleared away, and nothing else is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from psycopg import sql

from adapters.postgres.throttle import PostgresThrottle
from application.attempts import attempt_keys
from application.records import AnswerKept
from tests.postgres import ask

if TYPE_CHECKING:
    from api.bootstrap import Service
    from tests.conftest import TravelingClock
    from tests.people import Company


def rows(url: str, table: str) -> int:
    return len(ask(url, sql.SQL("SELECT FROM {}").format(sql.Identifier(table)).as_string()))


def test_nothing_that_is_in_use_is_cleared_away(service: Service, company: Company, database_url: str) -> None:
    """A good session, a fresh answer, a fresh link and a recent failure stay."""
    token = company.let_in_settled().log_in().token
    service.owner_sessions.offer_link(company.account_id)
    service.main_accounts.save(records=[answer(service)])

    assert service.clear_away() == 0
    service.sessions.current(token)


def answer(service: Service) -> AnswerKept:
    return AnswerKept(UUID(int=1), "key", b"fingerprint", 201, "{}", "sealed", uuid4(), service.clock())


@pytest.mark.parametrize("hours", [3, 26])
def test_idle_and_ended_sessions_go(
    service: Service, company: Company, clock: TravelingClock, database_url: str, hours: float
) -> None:
    """Some time after they are good for nothing."""
    company.let_in_settled()
    clock.advance(hours=hours)

    assert service.clear_away() == 1
    assert rows(database_url, "sessions") == 0


def test_sessions_past_the_end_of_access_go(
    service: Service, company: Company, clock: TravelingClock, database_url: str
) -> None:
    """As soon as an hour after."""
    one = company.let_in_settled(access_expires_at=clock() + timedelta(minutes=10))
    clock.advance(minutes=9)
    one.log_in()
    clock.advance(minutes=62)

    service.clear_away()

    assert rows(database_url, "sessions") == 0


def test_answers_go_after_a_day(service: Service, clock: TravelingClock, database_url: str) -> None:
    """A request repeated within 24 hours is answered as before; later it is a new one."""
    service.main_accounts.save(records=[answer(service)])
    clock.advance(hours=23.9)
    assert service.clear_away() == 0
    clock.advance(hours=0.2)

    assert service.clear_away() == 1
    assert service.answers.find(UUID(int=1), "key") is None


def test_links_go_after_their_minute(
    service: Service, company: Company, clock: TravelingClock, database_url: str
) -> None:
    """Those that nobody used."""
    service.owner_sessions.offer_link(company.account_id)
    clock.advance(seconds=60)

    assert service.clear_away() == 1
    assert rows(database_url, "console_links") == 0


def test_failures_go_after_a_month(service: Service, clock: TravelingClock, database_url: str) -> None:
    """Failed attempts that nobody followed up."""
    throttle = PostgresThrottle(service.database)
    throttle.failed(attempt_keys(service.fingerprints, "account", "email", "192.0.2.1"), clock())
    clock.advance(days=29)
    assert service.clear_away() == 0
    clock.advance(days=2)

    assert service.clear_away() == 3
    assert rows(database_url, "throttle") == 0
