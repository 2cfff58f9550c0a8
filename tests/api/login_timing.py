"""Measurement of whether a response time reveals something about a person, against a real server.

Measured are refused logins, and requests to reset a password, which are never refused.
"""

from __future__ import annotations

import ipaddress
import json
import random
import re
import threading
import time
from bisect import bisect_left, bisect_right
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from itertools import chain, combinations, count
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest

from api.http.refusal_timing import REFUSAL_INTERVAL_SECONDS
from application.throttle_keys import PASSWORD_RESETS_PER_HOUR
from tests.api.second_factors import FACTORS, VERIFICATION
from tests.authenticator import Authenticator
from tests.postgres import connect
from tests.processes.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.processes.deployment import Deployment

REQUEST_INTERVAL = 0.08
"""Seconds between two requests without load: longer than one request takes, so that none waits for another."""

BATCH_INTERVAL = 0.4
"""Seconds between two batches of simultaneous requests: longer than a whole batch takes."""

ROUNDS_UNTIL_RESET = 80
"""Fewer than the 100 consecutive failures that lock a sub-user."""

THROTTLED_ADDRESS = "203.0.113.7"
FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
WRONG_PASSWORD = "not what it is at all"

addresses = count(int(ipaddress.ip_address("2001:db8::1")), 2**80)
"""Each login comes from its own /48 network, so that none is throttled."""

Timings = dict[str, dict[str, list[float]]]
"""Response times in seconds, by status and kind of refusal."""


class Attempt(NamedTuple):
    """A request with the response status that it gets. Without an address, it is sent from a new one each time."""

    credentials: dict[str, Any]
    address: str | None
    status: int
    path: str = "/v1/sessions"
    token: str = ""
    """Session token, for requests of a session."""
    cookie: str = ""
    """Cookie of the form, for pages of the console."""


def measure(deployment: Deployment, database_url: str, *, rounds: int, load: int) -> Timings:
    """Time `rounds` refused logins of each kind, `load` of them at a time, or one after another if `load` is 0."""
    with Portal(deployment.url, deployment.api_key()) as portal:
        attempts = _attempts_by_kind(portal, database_url)
        return _measure(deployment, portal, database_url, attempts, rounds, ROUNDS_UNTIL_RESET, load)


def measure_resets(deployment: Deployment, database_url: str, *, rounds: int, load: int) -> Timings:
    """Time `rounds` requests to reset a password of each kind, `load` of them at a time as for logins."""
    with Portal(deployment.url, deployment.api_key()) as portal:
        attempts = _resets_by_kind(portal)
        return _measure(deployment, portal, database_url, attempts, rounds, PASSWORD_RESETS_PER_HOUR, load)


def measure_second_factors(deployment: Deployment, database_url: str, *, rounds: int, load: int) -> Timings:
    """Time `rounds` refused second factors and refused logins with a passkey, as for logins."""
    timings: Timings = {}
    with Portal(deployment.url, deployment.api_key()) as portal:
        for name, attempts in _second_factors_by_kind(portal, passkey_origin(deployment), database_url).items():
            measured = _measure(deployment, portal, database_url, attempts, rounds, ROUNDS_UNTIL_RESET, load)
            timings[name] = measured["401"]
    return timings


def _measure(  # one argument for each dimension of a measurement
    deployment: Deployment,
    portal: Portal,
    database_url: str,
    attempts: Mapping[str, Attempt],
    rounds: int,
    rounds_until_reset: int,
    load: int,
) -> Timings:
    timings: Timings = {str(attempt.status): {} for attempt in attempts.values()}
    for kind, attempt in attempts.items():
        timings[str(attempt.status)][kind] = []
    with closing(_Client(deployment, portal)) as client, ThreadPoolExecutor(32) as threads:
        for first_round in range(0, rounds, rounds_until_reset):
            _reset(database_url)
            shuffled_rounds = [
                random.sample([*attempts], len(attempts)) for _ in range(min(rounds_until_reset, rounds - first_round))
            ]
            kinds = [*chain.from_iterable(shuffled_rounds)]
            start_times = _start_times(len(kinds), load)
            response_times = threads.map(client.time, (attempts[kind] for kind in kinds), start_times)
            for kind, seconds in zip(kinds, response_times, strict=True):
                timings[str(attempts[kind].status)][kind].append(seconds)
    return timings


def table(timings: Timings) -> str:
    """Return the area under the ROC curve for each pair of kinds, the most distinguishable pair first."""
    lines = []
    for status, kinds in timings.items():
        timings_per_kind = min(len(values) for values in kinds.values())
        lines.append(f"\n{status}, {timings_per_kind} timings of each kind: area under the curve by time, by deviation")
        lines += [f"  {by_time:.3f}  {by_deviation:.3f}  {pair}" for by_time, by_deviation, pair in _areas(kinds)]
    return "\n".join(lines)


def most_distinguishable(timings: Mapping[str, Sequence[float]]) -> tuple[float, str]:
    """Return the largest area under the ROC curve of any two kinds, and that pair."""
    return max((max(by_time, by_deviation), pair) for by_time, by_deviation, pair in _areas(timings))


def area_under_curve(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the area under the ROC curve: how often a value of one kind exceeds a value of the other.

    0.5 is chance, 1.0 is certainty.
    """
    ordered = sorted(second)
    pairs = sum((bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 for value in first)
    share = pairs / (len(first) * len(second))
    return max(share, 1 - share)


def _areas(timings: Mapping[str, Sequence[float]]) -> list[tuple[float, float, str]]:
    """Return the areas for each pair of kinds: by time, and by deviation from the median time of all kinds."""
    median_time = median(chain.from_iterable(timings.values()))
    deviations = {kind: [abs(value - median_time) for value in values] for kind, values in timings.items()}
    areas = [
        (
            area_under_curve(timings[first], timings[second]),
            area_under_curve(deviations[first], deviations[second]),
            f"{first} / {second}",
        )
        for first, second in combinations(timings, 2)
    ]
    return sorted(areas, key=lambda area: -max(area[:2]))


def require_multiples_of_the_interval(delays: list[float]) -> None:
    """Require delays that are multiples of the refusal interval."""
    assert delays
    for seconds in delays:
        assert seconds / REFUSAL_INTERVAL_SECONDS == pytest.approx(max(1, round(seconds / REFUSAL_INTERVAL_SECONDS)))


class _Client:
    """Sends logins over keep-alive connections, one per thread."""

    def __init__(self, deployment: Deployment, portal: Portal) -> None:
        self._port = deployment.port
        self._headers = {"Authorization": portal.headers["Authorization"], "Content-Type": "application/json"}
        self._local = threading.local()
        self._connections: list[HTTPConnection] = []

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._connections:
            connection.close()

    def time(self, attempt: Attempt, start: float) -> float:
        """Send a login at monotonic time `start`, and return the seconds until its response."""
        address = attempt.address or str(ipaddress.IPv6Address(next(addresses)))
        if attempt.cookie:
            body = urlencode(attempt.credentials)
            headers = {**FORM_HEADERS, "Cookie": attempt.cookie, "X-Forwarded-For": address}
        else:
            body = json.dumps(attempt.credentials)
            headers = {**self._headers, "X-Client-IP": address, "Session-Token": attempt.token}
        connection = self._connection()
        time.sleep(max(0.0, start - time.monotonic()))
        began = time.perf_counter()
        connection.request("POST", attempt.path, body, headers)
        response = connection.getresponse()
        seconds = time.perf_counter() - began
        response.read()
        assert response.status == attempt.status, response.status
        return seconds

    def _connection(self) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
            self._connections.append(connection)
        return connection


def _start_times(request_count: int, load: int) -> Iterator[float]:
    first_start = time.monotonic() + 0.1
    for number in range(request_count):
        yield first_start + (number * REQUEST_INTERVAL if not load else number // load * BATCH_INTERVAL)


def _attempts_by_kind(portal: Portal, database_url: str) -> dict[str, Attempt]:
    account = portal.register()
    sub_user, inactive, expired, locked, throttled = (account.add_with_own_password() for _ in range(5))
    inactive.change(status="inactive")
    expired.change(access_expires_at="2020-01-01T00:00:00Z")
    unknown = {**sub_user.login_body, "email": "nobody@company.example"}
    unknown_account = {**sub_user.login_body, "account_email": "nobody@company.example"}
    _lock(portal, locked.login_body, database_url)
    throttled_credentials = {
        "known sub-user": {**throttled.login_body, "password": WRONG_PASSWORD},
        "unknown sub-user": {**unknown, "email": "nobody.else@company.example"},
        "unknown account": {**unknown_account, "email": "nobody.else@company.example"},
    }
    for credentials in throttled_credentials.values():
        for _ in range(5):
            portal.call(401, "POST", "/v1/sessions", credentials, X_Client_IP=THROTTLED_ADDRESS)
        _block_for_a_day(database_url, "blocked_until IS NOT NULL")
    renamed = portal.register()
    renamed_login = renamed.add_with_own_password().login_body
    portal.call(200, "PATCH", renamed.path, {"email": f"new-{renamed.email}", "email_verified": True})
    refused_credentials = {
        "unknown account": unknown_account,
        "unknown sub-user": unknown,
        "wrong password": {**sub_user.login_body, "password": WRONG_PASSWORD},
        "inactive": inactive.login_body,
        "expired": expired.login_body,
        "locked": locked.login_body,
        "former e-mail": {**renamed_login, "password": WRONG_PASSWORD},
    }
    attempts = {kind: Attempt(credentials, None, 401) for kind, credentials in refused_credentials.items()}
    return attempts | {
        f"{kind}, throttled": Attempt(credentials, THROTTLED_ADDRESS, 429)
        for kind, credentials in throttled_credentials.items()
    }


def _resets_by_kind(portal: Portal) -> dict[str, Attempt]:
    account, forbidding, closed = portal.register(), portal.register(), portal.register()
    sub_user, inactive = account.add_with_own_password(), account.add_with_own_password()
    inactive.change(status="inactive")
    portal.call(200, "PATCH", account.path, {"password": "a phrase of the owner"})
    forbidden = forbidding.add_with_own_password()
    portal.call(200, "PATCH", forbidding.path, {"sub_user_password_reset": False})
    in_closed_account = closed.add_with_own_password()
    portal.call(204, "DELETE", closed.path)
    nobody = "nobody@company.example"
    people = {
        "sub-user": (account.email, sub_user.email),
        "inactive": (account.email, inactive.email),
        "unknown sub-user": (account.email, nobody),
        "unknown account": (nobody, nobody),
        "account that forbids it": (forbidding.email, forbidden.email),
        "closed account": (closed.email, in_closed_account.email),
        "owner": (account.email, None),
        "owner without a password": (forbidding.email, None),
        "unknown owner": (nobody, None),
    }
    attempts = {
        kind: Attempt(
            {"account_email": account_email, **({"email": email} if email is not None else {})},
            None,
            202,
            "/v1/password-resets",
        )
        for kind, (account_email, email) in people.items()
    }
    return attempts | _console_resets_by_kind(portal)


def _console_resets_by_kind(portal: Portal) -> dict[str, Attempt]:
    """Return posts of the console's form. The people are others, because each has a limit of requests."""
    account = portal.register()
    sub_user, inactive = account.add_with_own_password(), account.add_with_own_password()
    inactive.change(status="inactive")
    stranger = "stranger@company.example"
    people = {
        "console: sub-user": (account.email, sub_user.email),
        "console: inactive": (account.email, inactive.email),
        "console: unknown sub-user": (account.email, stranger),
        "console: unknown account": (stranger, stranger),
    }
    path = "/forgotten-password?as=sub-user"
    page = httpx.get(portal.base_url.join(path))
    cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    (token,) = set(re.findall(r'name="csrf" value="([^"]+)"', page.text))
    return {
        kind: Attempt({"csrf": token, "account_email": account_email, "email": email}, None, 303, path, cookie=cookie)
        for kind, (account_email, email) in people.items()
    }


def _second_factors_by_kind(portal: Portal, origin: str, database_url: str) -> dict[str, dict[str, Attempt]]:
    account = portal.register()
    sub_user, inactive = account.add_with_own_password(), account.add_with_own_password()
    passkey, inactive_passkey = Authenticator(origin), Authenticator(origin)
    weak = Authenticator(origin, verifies_user=False)
    codes = add_passkey(portal, sub_user.log_in(), passkey)["recovery_codes"]
    add_passkey(portal, inactive.log_in(), inactive_passkey)
    add_passkey(portal, account.add_with_own_password().log_in(), weak)
    inactive.change(status="inactive")
    used = {"recovery_code": codes[0]}
    portal.call(200, "POST", VERIFICATION, used, Session_Token=sub_user.log_in())
    token = sub_user.log_in()
    wrong_answers = {
        "unknown passkey": Authenticator(origin),
        "wrong signature": Authenticator(origin, credential_id=passkey.credential_id),
        "inactive": inactive_passkey,
        "without verification": weak,
    }
    proofs = {
        "wrong code": {"code": "wrong"},
        "wrong recovery code": {"recovery_code": "wrong"},
        "used recovery code": used,
        "outdated answer": {"passkey": passkey.get({"challenge": "old", "rpId": "x"}), "challenge_id": str(uuid4())},
    }
    attempts = {
        "second factors": {kind: Attempt(proof, None, 401, VERIFICATION, token) for kind, proof in proofs.items()},
        "logins with a passkey": {
            kind: Attempt(sign_in_answer(portal, authenticator), None, 401, "/v1/sessions/passkey")
            for kind, authenticator in wrong_answers.items()
        },
    }
    with connect(database_url) as connection:
        connection.execute("UPDATE sign_in_challenges SET expires_at = now() + interval '1 day'")
    return attempts


def passkey_origin(deployment: Deployment) -> str:
    """Return the origin of passkeys of a deployment: browsers accept none of an IP address."""
    return deployment.url.replace("127.0.0.1", "localhost")


def add_passkey(portal: Portal, token: str, authenticator: Authenticator) -> Any:
    """Add a passkey in a session; return the response."""
    offer = portal.call(201, "POST", f"{FACTORS}/passkey", Session_Token=token).json()
    body = {"challenge_id": offer["challenge_id"], "name": "My key", "passkey": authenticator.create(offer["options"])}
    return portal.call(201, "POST", FACTORS, body, Session_Token=token).json()


def sign_in_answer(portal: Portal, authenticator: Authenticator) -> dict[str, Any]:
    """Return the body of a login with a passkey."""
    challenge = portal.call(201, "POST", "/v1/sessions/passkey-challenges").json()
    return {"challenge_id": challenge["challenge_id"], "passkey": authenticator.get(challenge["options"])}


def _lock(portal: Portal, credentials: dict[str, Any], database_url: str) -> None:
    """Lock a sub-user: record one real failure, then set the counter to 100 in the database."""
    portal.call(401, "POST", "/v1/sessions", {**credentials, "password": WRONG_PASSWORD}, X_Client_IP="198.51.100.9")
    with connect(database_url) as connection:  # the failure before is the first of any sub-user
        connection.execute("UPDATE throttle SET failures = 100 WHERE identity = key AND failures = 1")
    _block_for_a_day(database_url, "identity = key AND failures = 100")


def _block_for_a_day(database_url: str, condition: str) -> None:
    with connect(database_url) as connection:
        query = f"UPDATE throttle SET blocked_until = now() + interval '1 day' WHERE {condition}"  # noqa: S608
        connection.execute(query)


def _reset(database_url: str) -> None:
    """Reset failure counters, except those that lock or block someone for a day."""
    with connect(database_url) as connection:
        connection.execute(
            "UPDATE throttle SET failures = 0, blocked_until = NULL "
            "WHERE blocked_until IS NULL OR blocked_until < now() + interval '6 hours'"
        )
