"""Refused logins reveal nothing: every reason gives the same response after the same time."""

from __future__ import annotations

import ipaddress
import random
import time
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from api.http import refusal_timing
from api.http.refusal_timing import REFUSAL_INTERVAL_SECONDS
from application.throttle_keys import sub_user_keys
from domain.main_account import MainAccount
from tests.api.clients import require_problem
from tests.api.login_timing import (
    Timings,
    measure,
    measure_resets,
    measure_second_factors,
    most_distinguishable,
    require_multiples_of_the_interval,
    table,
)
from tests.api.round_trips import counting_round_trips
from tests.postgres import database_copy, service_role_url
from tests.processes.deployment import deployed, master_key
from tests.throttling import count_failures, fail_as_sub_user

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients

THROTTLED_ADDRESS = "203.0.113.7"
"""Address from which all attempts are throttled."""

addresses = count(int(ipaddress.ip_address("2001:db8::1")), 2**80)
"""Each login comes from its own network, so that none is throttled."""

ROUNDS = 5000
"""Timings of each kind in a measurement."""

Credentials = dict[str, str]


@pytest.fixture(scope="module")
def refused_credentials(clients: ApiClients) -> dict[str, Credentials]:
    """Return credentials that are refused, by reason; those for "wrong password" and "former e-mail" are wrong."""
    account, closed, renamed = (clients.register_account() for _ in range(3))
    sub_user, inactive, expired, locked = (account.create_with_own_password() for _ in range(4))
    inactive.change(status="inactive")
    expired.change(access_expires_at="2020-01-01T00:00:00Z")
    fail_as_sub_user(clients.service, account.email, locked.email, 100)
    with_expired_password = account.create_active()
    with clients.service.database.get_connection() as connection:
        query = "UPDATE vault SET password_expires_at = now() - interval '1 second' WHERE person_id = %s"
        connection.execute(query, [with_expired_password.sub_user_id])
    in_closed_account = closed.create_with_own_password()
    clients.portal.delete(closed.path)
    in_renamed_account = renamed.create_with_own_password()
    clients.portal.patch(renamed.path, json={"email": f"new-{renamed.email}", "email_verified": True})
    return {
        "unknown account": {**sub_user.credentials, "account_email": "nobody@company.example"},
        "unknown sub-user": {**sub_user.credentials, "email": "nobody@company.example"},
        "wrong password": {**sub_user.credentials, "password": "not what it is"},
        "inactive": inactive.credentials,
        "expired": expired.credentials,
        "locked": locked.credentials,
        "expired temporary password": with_expired_password.credentials,
        "closed account": in_closed_account.credentials,
        "former e-mail": {**in_renamed_account.credentials, "password": "not what it is"},
    }


def send_login(clients: ApiClients, credentials: Credentials, **headers: str) -> TestResponse:
    client_header = {"X-Client-IP": str(ipaddress.IPv6Address(next(addresses)))}
    return clients.portal.post("/v1/sessions", json=credentials, headers={**client_header, **headers})


def test_every_refusal_has_the_same_response(
    clients: ApiClients, refused_credentials: Mapping[str, Credentials]
) -> None:
    """Body and headers are equal, given the same request id."""
    headers = {"X-Request-Id": "the-same"}
    responses = {
        reason: send_login(clients, credentials, **headers) for reason, credentials in refused_credentials.items()
    }
    require_problem(responses["wrong password"], 401, "login-refused")
    assert len({response.data for response in responses.values()}) == 1
    assert len({tuple(response.headers.items()) for response in responses.values()}) == 1


def test_every_refusal_is_delayed_to_a_multiple_of_the_refusal_interval(
    clients: ApiClients, refused_credentials: Mapping[str, Credentials], delays: list[float]
) -> None:
    for credentials in refused_credentials.values():
        assert send_login(clients, credentials).status_code == 401
    assert len(delays) == len(refused_credentials)
    require_multiples_of_the_interval(delays)


def test_successful_login_is_not_delayed(account: Account, delays: list[float]) -> None:
    account.create_with_own_password().new_token()
    assert delays == []


@pytest.mark.usefixtures("refusals_delayed")
def test_refusal_is_delayed_under_any_wsgi_server(
    clients: ApiClients, refused_credentials: Mapping[str, Credentials]
) -> None:
    """The application sleeps if the server cannot delay the response."""
    began = time.monotonic()
    response = clients.portal.post("/v1/sessions", json=refused_credentials["unknown account"])
    assert response.status_code == 401
    assert time.monotonic() - began >= REFUSAL_INTERVAL_SECONDS


def test_throttled_logins_have_the_same_response_and_delay(
    clients: ApiClients, refused_credentials: Mapping[str, Credentials], delays: list[float]
) -> None:
    """Known and unknown sub-users get the same 429, except for the seconds in Retry-After."""
    responses = []
    for reason in ("wrong password", "unknown sub-user", "unknown account"):
        throttle(clients, refused_credentials[reason])
        response = clients.portal.post(
            "/v1/sessions", json=refused_credentials[reason], headers={"X-Client-IP": THROTTLED_ADDRESS}
        )
        require_problem(response, 429, "too-many-attempts")
        responses.append(response)
    assert len(delays) == 3
    require_multiples_of_the_interval(delays)
    assert len({tuple(sorted(response.headers.keys())) for response in responses}) == 1


def throttle(clients: ApiClients, credentials: Credentials) -> None:
    """Throttle logins with these credentials from `THROTTLED_ADDRESS` for 15 minutes."""
    keyed_hasher = clients.service.keyed_hasher
    account, email = (keyed_hasher.email(credentials[name]) for name in ("account_email", "email"))
    count_failures(clients.service, [sub_user_keys(keyed_hasher, account, email, THROTTLED_ADDRESS)] * 5)
    with clients.service.database.get_connection() as connection:
        query = "UPDATE throttle SET blocked_until = %s WHERE blocked_until > now() AND identity IS NOT NULL"
        connection.execute(query, [clients.service.clock() + timedelta(minutes=15)])


def test_wrong_current_password_is_delayed(account: Account, delays: list[float]) -> None:
    """The 429 after too many attempts is delayed too; an unsuitable new password is refused immediately."""
    token = account.create_with_own_password().new_token()

    def change(current: str, new: str) -> TestResponse:
        body = {"current_password": current, "new_password": new}
        return account.portal.put("/v1/sessions/current/password", json=body, headers={"Session-Token": token})

    change("not what it is", "short")
    assert delays == []
    for _ in range(5):
        require_problem(change("not what it is", "a good new phrase"), 422, "invalid-input", "current_password")
    require_problem(change("not what it is", "a good new phrase"), 429, "too-many-attempts")
    assert len(delays) == 6
    require_multiples_of_the_interval(delays)


def test_response_time_is_fixed_before_the_refusal_is_recorded(
    clients: ApiClients, refused_credentials: Mapping[str, Credentials], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recording takes longer for some reasons than for others, so it happens during the delay."""
    fixed_times: list[float] = []
    next_respond_at = refusal_timing._next_respond_at  # noqa: SLF001  # computes when to respond

    def record_fixed_time(environ: Any, elapsed: float) -> float:
        fixed_times.append(next_respond_at(environ, elapsed))
        return fixed_times[-1]

    fixed_when_recorded: list[float] = []
    record_refused_login = MainAccount.record_refused_login

    def record_and_count(*args: Any, **kwargs: Any) -> None:
        fixed_when_recorded.append(len(fixed_times))
        record_refused_login(*args, **kwargs)

    monkeypatch.setattr(refusal_timing, "_next_respond_at", record_fixed_time)
    monkeypatch.setattr(MainAccount, "record_refused_login", record_and_count)
    send_login(clients, refused_credentials["inactive"])

    assert fixed_when_recorded[0] == 1


def test_every_refusal_takes_the_same_number_of_round_trips(
    clients: ApiClients, refused_credentials: Mapping[str, Credentials], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under load, response times depend on the round trips before the response time is fixed."""
    round_trips_by_reason = {
        reason: round_trips_before_verification(clients, credentials, monkeypatch)
        for reason, credentials in refused_credentials.items()
    }
    (round_trips,) = set(round_trips_by_reason.values())
    assert round_trips > 1


def round_trips_before_verification(
    clients: ApiClients, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Log in; return the number of round trips to the database before `on_verified` is called."""
    counts: list[int] = []
    log_in = clients.service.commands.sub_user_sessions.log_in

    with monkeypatch.context() as patched, counting_round_trips() as round_trips:

        def log_in_and_record(**kwargs: Any) -> Any:
            return log_in(**{**kwargs, "on_verified": lambda: counts.append(round_trips.count)})

        patched.setattr(clients.service.commands.sub_user_sessions, "log_in", log_in_and_record)
        assert send_login(clients, credentials).status_code == 401
    (count,) = counts
    return count


def test_classifier_detects_small_differences() -> None:
    """It detects a difference of one in 250, in the median or in the spread."""
    same = [random.gauss(250, 1) for _ in range(1000)]
    later = [random.gauss(251, 1) for _ in range(1000)]
    wider = [random.gauss(250, 2) for _ in range(1000)]
    assert most_distinguishable({"a": same, "b": later})[0] > 0.7
    assert most_distinguishable({"a": same, "b": wider})[0] > 0.6
    assert most_distinguishable({"a": same, "b": [random.gauss(250, 1) for _ in range(1000)]})[0] < 0.56


@pytest.mark.parametrize("measurement", [measure, measure_resets, measure_second_factors])
def test_measurements_time_every_kind(
    server_url: str, migrated_template: str, tmp_path: Path, measurement: Callable[..., Timings]
) -> None:
    """Two timings of each kind say nothing of their distribution, but show that each kind gets its response."""
    settings: dict[str, str | int] = {"master_key": master_key(), "trusted_proxies": "127.0.0.1", "server_processes": 1}
    with (
        database_copy(server_url, migrated_template) as url,
        deployed(tmp_path, database_url=service_role_url(url), admin_database_url=url, **settings) as deployment,
    ):
        deployment.serve("api", "work")
        timings = measurement(deployment, url, rounds=2, load=8)
    assert {len(values) for kinds in timings.values() for values in kinds.values()} == {2}


@pytest.mark.long
@pytest.mark.timeout(10800)
@pytest.mark.parametrize("load", [0, 8], ids=["load 0", "load 8"])
def test_thousands_of_timings_are_indistinguishable(
    server_url: str, migrated_template: str, tmp_path: Path, load: int
) -> None:
    """ASVS 6.3.8: the best classifier on 5,000 timings of each kind has an area under the curve of at most 0.53.

    The test runs against a real server, and compares 401s with 401s and 429s with 429s. It needs an otherwise idle
    machine: `.venv/bin/python -m pytest -m long -s tests/api/test_login_uniformity.py`.
    """
    settings: dict[str, str | int] = {"master_key": master_key(), "server_processes": 2}
    with (
        database_copy(server_url, migrated_template) as url,
        deployed(tmp_path, database_url=service_role_url(url), admin_database_url=url, **settings) as deployment,
    ):
        deployment.serve("api", "work")
        timings = measure(deployment, url, rounds=ROUNDS, load=load)
    print(table(timings))  # the result of the measurement
    assert max(most_distinguishable(kinds)[0] for kinds in timings.values()) <= 0.53


@pytest.mark.long
@pytest.mark.timeout(10800)
@pytest.mark.parametrize("load", [0, 8], ids=["load 0", "load 8"])
def test_thousands_of_refused_second_factors_are_indistinguishable(
    server_url: str, migrated_template: str, tmp_path: Path, load: int
) -> None:
    """The same for codes and passkeys after the password, and for logins with a passkey alone."""
    settings: dict[str, str | int] = {"master_key": master_key(), "server_processes": 2}
    with (
        database_copy(server_url, migrated_template) as url,
        deployed(tmp_path, database_url=service_role_url(url), admin_database_url=url, **settings) as deployment,
    ):
        deployment.serve("api", "work")
        timings = measure_second_factors(deployment, url, rounds=ROUNDS, load=load)
    print(table(timings))  # the result of the measurement
    assert max(most_distinguishable(kinds)[0] for kinds in timings.values()) <= 0.53
