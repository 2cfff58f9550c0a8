"""Housekeeping: which expired rows are deleted, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from psycopg import sql

from application.throttle_keys import sub_user_keys
from application.transactional_writes import StoreIdempotentResponse
from tests.postgres import fetch
from tests.throttling import count_failures

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from tests.builders import Company
    from tests.conftest import TravelingClock


def count_rows(url: str, table: str) -> int:
    return len(fetch(url, sql.SQL("SELECT FROM {}").format(sql.Identifier(table)).as_string()))


def test_rows_in_use_are_not_deleted(service: Service, company: Company, database_url: str) -> None:
    token = company.create_with_own_password().log_in().token
    service.commands.owner_sessions.create_link(company.account_id)
    service.main_accounts.save(writes=[idempotent_response(service)])

    assert service.delete_expired() == 0
    service.commands.sub_user_sessions.current(token)


def idempotent_response(service: Service) -> StoreIdempotentResponse:
    return StoreIdempotentResponse(UUID(int=1), "key", b"fingerprint", 201, "{}", "sealed", uuid4(), service.clock())


@pytest.mark.parametrize("hours", [3, 26])
def test_idle_and_ended_sessions_are_deleted(
    service: Service, company: Company, clock: TravelingClock, database_url: str, hours: float
) -> None:
    company.create_with_own_password()
    clock.advance(hours=hours)

    assert service.delete_expired() == 1
    assert count_rows(database_url, "sessions") == 0


def test_sessions_are_deleted_after_access_expires(
    service: Service, company: Company, clock: TravelingClock, database_url: str
) -> None:
    """An hour after access ends, its sessions are deleted."""
    sub_user = company.create_with_own_password(access_expires_at=clock() + timedelta(minutes=10))
    clock.advance(minutes=9)
    sub_user.log_in()
    clock.advance(minutes=62)

    service.delete_expired()

    assert count_rows(database_url, "sessions") == 0


def test_idempotent_responses_are_deleted_after_a_day(
    service: Service, clock: TravelingClock, database_url: str
) -> None:
    """A request repeated within 24 hours gets the stored response; later it is processed as a new one."""
    service.main_accounts.save(writes=[idempotent_response(service)])
    clock.advance(hours=23.9)
    assert service.delete_expired() == 0
    clock.advance(hours=0.2)

    assert service.delete_expired() == 1
    assert service.queries.idempotent_responses.find(UUID(int=1), "key") is None


def test_unused_console_links_are_deleted_after_a_minute(
    service: Service, company: Company, clock: TravelingClock, database_url: str
) -> None:
    service.commands.owner_sessions.create_link(company.account_id)
    clock.advance(seconds=60)

    assert service.delete_expired() == 1
    assert count_rows(database_url, "console_links") == 0


def test_failed_attempts_are_deleted_after_a_month(service: Service, clock: TravelingClock, database_url: str) -> None:
    count_failures(service, [sub_user_keys(service.keyed_hasher, "account", "email", "192.0.2.1")])
    clock.advance(days=29)
    assert service.delete_expired() == 0
    clock.advance(days=2)

    assert service.delete_expired() == 5
    assert count_rows(database_url, "throttle") == 0
