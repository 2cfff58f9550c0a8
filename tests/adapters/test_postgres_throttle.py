"""Postgres throttle: exact counts under concurrency, reservations, back-off and keys."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.postgres.tables.throttle import PostgresThrottle
from application.ports.throttle import Reservation, ThrottleScope
from application.throttle_keys import password_change_keys, sub_user_keys
from application.transactional_writes import ForgetFailedAttempts, ResetFailedAttempts
from tests.postgres import fetch
from tests.throttling import count_failures
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from application.ports.throttle import AttemptKeys
    from tests.conftest import TravelingClock


@pytest.fixture
def throttle(service: Service) -> PostgresThrottle:
    """Return the throttle of a service."""
    return PostgresThrottle(service.database)


def throttle_keys(service: Service, ip: str | None, email: str = "an e-mail") -> AttemptKeys:
    return sub_user_keys(service.keyed_hasher, "an account", email, ip)


def test_concurrent_failures_are_all_counted(
    service: Service, throttle: PostgresThrottle, build: Callable[..., Service]
) -> None:
    """Sixty parallel attempts from five addresses through two processes count as sixty failures."""
    throttles = [throttle, PostgresThrottle(build().database)]

    def fail_attempt(number: int) -> int:
        reservation = Reservation(str(uuid4()), throttle_keys(service, f"192.0.2.{number % 5}"))
        return throttles[number % 2].fail(reservation, service.clock())

    failure_counts = run_concurrently([partial(fail_attempt, number) for number in range(60)])

    assert sorted(number for number in failure_counts if isinstance(number, int)) == list(range(1, 61))


@pytest.mark.parametrize("ip", ["192.0.2.1", "2001:db8::1", None])
def test_attempts_in_flight_are_limited_per_identity(
    service: Service,
    throttle: PostgresThrottle,
    build: Callable[..., Service],
    clock: TravelingClock,
    ip: str | None,
) -> None:
    """Of 40 parallel attempts through two processes, five are admitted, as if they were made one by one."""
    clock.freeze()
    throttles = [throttle, PostgresThrottle(build().database)]
    keys = throttle_keys(service, ip)

    admissions = run_concurrently([partial(throttles[number % 2].reserve, keys, clock()) for number in range(40)])

    assert [getattr(admission, "is_queued", None) for admission in admissions].count(False) == 5


def test_attempts_in_flight_are_limited_per_client(
    service: Service, throttle: PostgresThrottle, clock: TravelingClock
) -> None:
    """The limit is 30 for an IPv4 address and for an IPv6 /56 network."""
    clock.freeze()
    for address in ("192.0.2.1", "2001:db8:0:{number:x}::1"):
        admissions = [
            throttle.reserve(throttle_keys(service, address.format(number=number), f"e-mail {number}"), clock())
            for number in range(40)
        ]
        assert [admission.is_queued for admission in admissions].count(False) == 30


def test_cancelled_and_expired_reservations_are_released(
    service: Service, throttle: PostgresThrottle, clock: TravelingClock
) -> None:
    """Reservations of a crashed process expire after 30 seconds."""
    clock.freeze()
    keys = throttle_keys(service, "192.0.2.1")
    admissions = [throttle.reserve(keys, clock()) for _ in range(5)]
    assert throttle.reserve(keys, clock()).is_queued

    throttle.cancel(admissions[0].reservation)
    assert not throttle.reserve(keys, clock()).is_queued
    assert throttle.reserve(keys, clock()).is_queued

    clock.advance(seconds=31)
    assert not throttle.reserve(keys, clock()).is_queued


def test_one_attempt_at_a_time_is_admitted_after_a_wait(
    service: Service, throttle: PostgresThrottle, clock: TravelingClock
) -> None:
    clock.freeze()
    keys = throttle_keys(service, "192.0.2.1")
    count_failures(service, [keys] * 5)
    assert throttle.reserve(keys, clock()).seconds_to_wait == 1
    clock.advance(seconds=1.001)

    admissions = [throttle.reserve(keys, clock()) for _ in range(3)]

    assert [admission.is_queued for admission in admissions] == [False, True, True]


def test_attempts_in_flight_do_not_extend_the_wait(
    service: Service, throttle: PostgresThrottle, clock: TravelingClock
) -> None:
    """Failures under a key that already blocks do not extend the wait."""
    clock.freeze()
    keys = throttle_keys(service, "192.0.2.1")
    count_failures(service, [keys] * 8)

    assert throttle.reserve(keys, clock()).seconds_to_wait == 1


def test_attempts_resets_and_erasures_do_not_deadlock(service: Service, throttle: PostgresThrottle) -> None:
    """All of them concern one sub-user; the attempts come from several networks."""
    keys = [throttle_keys(service, ip) for ip in ("192.0.2.1", "198.51.100.1", "2001:db8::1", None)]
    end = time.monotonic() + 2

    def attempt(number: int) -> None:
        while time.monotonic() < end:
            reservation = throttle.reserve(keys[number % 4], service.clock()).reservation
            settle = (throttle.fail, throttle.succeed)[number % 2]
            settle(reservation, service.clock())

    def reset(number: int) -> None:
        while time.monotonic() < end:
            at = service.clock()
            erasure = ForgetFailedAttempts(keys[0].identity)
            service.main_accounts.save(writes=[erasure if number % 2 else ResetFailedAttempts(keys[0].identity, at)])

    results = run_concurrently([partial(task, number) for number in range(4) for task in (attempt, reset)])

    assert results == [None] * 8


def test_attempt_without_an_ip_address_is_counted(
    service: Service, throttle: PostgresThrottle, clock: TravelingClock
) -> None:
    """The portal may send a login without an IP address."""
    clock.freeze()
    keys = throttle_keys(service, None)

    assert count_failures(service, [keys] * 5) == [1, 2, 3, 4, 5]
    assert throttle.reserve(keys, service.clock()).seconds_to_wait > 0


def test_successful_password_changes_count_towards_the_limit(
    service: Service, throttle: PostgresThrottle, clock: TravelingClock
) -> None:
    """The limit is 30 per hour, counted from the first attempt."""
    clock.freeze()
    keys = password_change_keys(service.keyed_hasher, uuid4())
    for _ in range(30):
        throttle.succeed(throttle.reserve(keys, clock()).reservation, clock())

    assert throttle.reserve(keys, clock()).seconds_to_wait == 3600
    clock.advance(hours=1)
    assert throttle.reserve(keys, clock()).seconds_to_wait == 0
    assert throttle.reserve(keys, clock()).seconds_to_wait == 0


def test_throttle_rows_of_a_deleted_sub_user_are_deleted(service: Service, database_url: str) -> None:
    """Rows of all networks are deleted; rows of IP addresses stay, because they do not identify the sub-user."""
    keys = throttle_keys(service, "2001:db8::1")
    count_failures(service, [keys, throttle_keys(service, "192.0.2.1")])

    service.main_accounts.save(writes=[ForgetFailedAttempts(keys.identity)])

    assert fetch(database_url, "SELECT count(*) FROM throttle WHERE identity IS NOT NULL") == [(0,)]


def test_throttle_keys_reveal_no_personal_data(service: Service) -> None:
    """Keys reveal neither e-mail addresses nor IP addresses, and each purpose has its own key."""
    keys = sub_user_keys(service.keyed_hasher, "boss@company.example", "grace@company.example", "192.0.2.1")

    assert len({counter.key for counter in keys.counters}) == 5
    assert not any(word in counter.key for counter in keys.counters for word in (b"boss", b"grace", b"192"))


@pytest.mark.parametrize(
    ("ip", "scopes"),
    [
        (None, {"own_network": 1}),
        ("192.0.2.1", {"own_network": 1, "network": 1, "client": 2}),
        ("2001:db8::1", {"own_network": 1, "network": 2, "client": 2}),
    ],
)
def test_ip_address_counts_for_each_of_its_networks(service: Service, ip: str | None, scopes: dict[str, int]) -> None:
    """IPv4 counts for the address and its /24; IPv6 for its /64, /56 and /48."""
    counters = throttle_keys(service, ip).counters

    counted_scopes = [str(counter.scope) for counter in counters if counter.scope is not ThrottleScope.IDENTITY]
    assert {scope: counted_scopes.count(scope) for scope in counted_scopes} == scopes
    assert list(counters) == sorted(counters, key=lambda counter: counter.key)
