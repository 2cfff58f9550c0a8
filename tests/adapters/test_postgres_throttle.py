"""Failed attempts are counted exactly, however many are made at the same time."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from adapters.postgres.throttle import PostgresThrottle
from application.attempts import AttemptKeys, attempt_keys
from application.records import AttemptsForgiven
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from tests.conftest import TravelingClock


@pytest.fixture
def throttle(service: Service) -> PostgresThrottle:
    """Give the throttle of a service."""
    return PostgresThrottle(service.database)


def keys_of(service: Service, ip: str | None) -> AttemptKeys:
    return attempt_keys(service.fingerprints, "an account", "an e-mail", ip)


def test_failures_at_the_same_moment_are_all_counted(
    service: Service, throttle: PostgresThrottle, build: Callable[..., Service]
) -> None:
    """Sixty parallel guesses from five clients through two processes are sixty failures in a row."""
    throttles = [throttle, PostgresThrottle(build().database)]

    def guess(n: int) -> int:
        return throttles[n % 2].failed(keys_of(service, f"192.0.2.{n % 5}"), service.clock())

    counted = at_once([partial(guess, n) for n in range(60)])

    assert sorted(n for n in counted if isinstance(n, int)) == list(range(1, 61))


def test_failing_and_forgiving_do_not_wait_for_each_other_in_a_circle(
    service: Service, throttle: PostgresThrottle
) -> None:
    """Guesses and logins of one sub-user at the same time, from the same clients: every one of them goes through."""
    keys = [keys_of(service, "192.0.2.1"), keys_of(service, "192.0.2.2")]
    until = time.monotonic() + 2

    def fail(n: int) -> None:
        while time.monotonic() < until:
            throttle.failed(keys[n % 2], service.clock())

    def forgive(n: int) -> None:
        while time.monotonic() < until:
            forgiven = AttemptsForgiven([keys[n % 2].delayed, keys[n % 2].counted])
            service.main_accounts.save(records=[forgiven])

    came_to = at_once([partial(do, n) for n in range(4) for do in (fail, forgive)])

    assert came_to == [None] * 8


def test_an_attempt_without_an_address_counts_too(
    service: Service, throttle: PostgresThrottle, clock: TravelingClock
) -> None:
    """The portal may not know where a login comes from."""
    clock.stand_still()
    keys = keys_of(service, None)

    assert [throttle.failed(keys, service.clock()) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert throttle.seconds_to_wait(keys.waiting, service.clock()) > 0


def test_the_keys_tell_nothing(service: Service) -> None:
    """Neither an e-mail nor an address can be read from them, and each purpose has its own."""
    keys = attempt_keys(service.fingerprints, "boss@company.example", "grace@company.example", "192.0.2.1")

    assert len({keys.delayed, keys.counted, keys.per_minute}) == 3
    assert not any(word in key for key in keys.waiting for word in (b"boss", b"grace", b"192"))
