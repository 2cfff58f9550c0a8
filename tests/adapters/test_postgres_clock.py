"""All processes use the database's clock: a host with a skewed clock deletes nothing and logs a warning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from adapters.postgres.clock import QUERY, DatabaseClock
from api.bootstrap import composition_root
from projections.transparency.checkpointer import MAX_UNSIGNED_EVENTS
from tests.builders import Company, catch_up
from tests.postgres import connect, fetch
from tests.projections.test_publisher import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service

SKEW = timedelta(hours=25)
CLOCK_THEN_SLEEP = "SELECT at FROM clock_timestamp() AS at, LATERAL pg_sleep(0.2 + extract(epoch FROM at) * 0)"
SLEEP_THEN_CLOCK = "SELECT clock_timestamp() FROM pg_sleep(0.2)"


@pytest.fixture(params=[SKEW, -SKEW], ids=["ahead", "behind"])
def skewed_service(request: pytest.FixtureRequest, settings: Settings, quick_hashes: None) -> Iterator[Service]:
    """Yield a service on a host whose clock is 25 hours off."""
    service = composition_root.build(settings, wall_clock=lambda: datetime.now(UTC) + request.param)
    yield service
    service.close()


@pytest.fixture
def correct_service(settings: Settings, quick_hashes: None) -> Iterator[Service]:
    """Yield a second service on a host whose clock is correct."""
    service = composition_root.build(settings)
    yield service
    service.close()


def test_host_with_a_wrong_clock_uses_the_database_clock(skewed_service: Service, correct_service: Service) -> None:
    """Sessions are valid across hosts in both directions, and recorded times are correct."""
    sub_user = Company.register(correct_service).create_with_own_password()
    token = sub_user.log_in().token
    assert abs((skewed_service.clock() - correct_service.clock()).total_seconds()) < 10
    skewed_service.commands.sub_user_sessions.current(token)
    correct_service.commands.sub_user_sessions.current(
        Company.register(skewed_service).create_with_own_password().log_in().token
    )


def test_host_with_a_wrong_clock_deletes_no_expired_data(
    skewed_service: Service, correct_service: Service, database_url: str
) -> None:
    """Nothing is deleted, not even expired data, because either clock may be wrong. A warning is reported."""
    Company.register(correct_service).create_with_own_password().log_in()
    fetch(database_url, "UPDATE sessions SET last_used_at = now() - interval '3 hours'")
    with capture_logs() as lines:
        assert skewed_service.delete_expired() == 0
    errors = [line["event"] for line in lines if line["log_level"] == "error"]
    assert errors in ([], ["clock.skewed"])  # an earlier measurement may have logged the skew
    assert any("clock" in warning for warning in skewed_service.warnings())
    assert not correct_service.warnings()
    assert correct_service.delete_expired() >= 1


def test_clock_skew_is_logged_once(database_url: str) -> None:
    clock = DatabaseClock(lambda: datetime.now(UTC) + SKEW)
    with connect(database_url) as connection, capture_logs() as lines:
        clock.measure(connection)
        clock.measure(connection)
    assert [(line["event"], round(line["skew_seconds"])) for line in lines] == [("clock.skewed", SKEW.total_seconds())]
    assert abs((clock() - datetime.now(UTC)).total_seconds()) < 10


@pytest.mark.parametrize("slow", [CLOCK_THEN_SLEEP, SLEEP_THEN_CLOCK], ids=["slow reply", "slow request"])
def test_clock_never_goes_back(database_url: str, monkeypatch: pytest.MonkeyPatch, slow: str) -> None:
    """However slow a measurement is, the clock does not get ahead of the database's, and is never set back."""
    clock = DatabaseClock(lambda: datetime.now(UTC))
    with connect(database_url) as connection:
        clock.measure(connection)
        for query in (slow, QUERY, slow, QUERY):
            monkeypatch.setattr("adapters.postgres.clock.QUERY", query)
            before = clock()
            clock.measure(connection)
            after = clock()
            [(database_time,)] = connection.execute("SELECT clock_timestamp()")
            assert before <= after <= database_time


def test_checkpoint_from_the_future_does_not_stop_signing(correct_service: Service, database_url: str) -> None:
    """It counts as due, because otherwise nothing would be signed until that time."""
    record(correct_service, 1)
    catch_up(correct_service, "merkle-tree")
    assert correct_service.workers.checkpointer.sign_due() == 1
    fetch(database_url, "UPDATE checkpoints SET signed_at = now() + interval '25 hours'")
    record(correct_service, 1)
    catch_up(correct_service, "merkle-tree")
    assert MAX_UNSIGNED_EVENTS > 1, "one new event alone makes a checkpoint due"
    assert correct_service.workers.checkpointer.sign_due() == 1
    record(correct_service, 1)
    catch_up(correct_service, "merkle-tree")
    assert correct_service.workers.checkpointer.sign_due() == 0
