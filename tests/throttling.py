"""Count failed logins without the cost of verifying passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from adapters.postgres.tables.throttle import PostgresThrottle
from application.ports.throttle import Reservation
from application.throttle_keys import owner_keys, sub_user_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.bootstrap.service import Service
    from application.ports.throttle import AttemptKeys


def count_failures(service: Service, keys_of_attempts: Iterable[AttemptKeys]) -> list[int]:
    """Count a failed attempt for each of these keys, and return the number of consecutive failures after each."""
    throttle = PostgresThrottle(service.database)
    return [throttle.fail(Reservation(str(uuid4()), keys), service.clock()) for keys in keys_of_attempts]


def fail_as_sub_user(service: Service, account_email: str, email: str, times: int) -> None:
    """Count failed logins of a sub-user, each from a different network."""
    account, person = (service.keyed_hasher.email(text) for text in (account_email, email))
    count_failures(
        service, (sub_user_keys(service.keyed_hasher, account, person, ip) for ip in ips_in_distinct_networks(times))
    )


def fail_as_owner(service: Service, email: str, times: int) -> None:
    """Count failed logins of an account's owner, each from a different network."""
    account = service.keyed_hasher.email(email)
    count_failures(service, (owner_keys(service.keyed_hasher, account, ip) for ip in ips_in_distinct_networks(times)))


def ips_in_distinct_networks(count: int) -> Iterable[str]:
    """Return this many addresses, each in its own /24."""
    return (f"10.{number // 250}.{number % 250}.1" for number in range(count))
