"""Whatever is wrong with a login, the answer is the same, and it takes the same time."""

from __future__ import annotations

import ipaddress
import random
import time
from bisect import bisect_left, bisect_right
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, combinations, count
from statistics import median
from typing import TYPE_CHECKING

import pytest

from api import bootstrap
from application.attempts import attempt_keys
from tests.api.callers import SubUser, require_problem
from tests.conftest import opened_doors, settings_on
from tests.postgres import copy_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from werkzeug.test import TestResponse

    from tests.api.callers import Doors

SIMULTANEOUS, SIMULTANEOUS_AMONG_OTHERS = 11, 4
"""Logins under way at once: fewer than a process has places for, and than two cores can verify in time; and where other
tests have most of these cores."""

ROUNDS_UNTIL_FORGIVEN = 80
"""A hundred failures in a row lock a sub-user."""

addresses = count(int(ipaddress.ip_address("2001:db8::1")), 2**64)
"""Each login comes from another network, so that none is made to wait."""

Credentials = dict[str, str]


@pytest.fixture(scope="module")
def doors(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Give doors that are nobody else's: behind them it takes as long to verify a password as it does in earnest."""
    with copy_of(server_url, migrated_template) as url:
        service = bootstrap.build(settings_on(url, tmp_path_factory.mktemp("doors")))
        with opened_doors(service) as doors:
            yield doors


@pytest.fixture(scope="module")
def refused(doors: Doors) -> dict[str, Credentials]:
    """Give credentials that are refused, each for another reason; the passwords of all but one are right."""
    account, closed = doors.account(), doors.account()
    settled, no_longer, late, locked = (account.let_in_settled() for _ in range(4))
    no_longer.change(active=False)
    late.change(access_expires_at="2020-01-01T00:00:00Z")
    lock(doors, locked)
    forgetful = account.let_in_active()
    with doors.service.database.get_connection() as connection:
        query = "UPDATE vault SET password_expires_at = now() - interval '1 second' WHERE person_id = %s"
        connection.execute(query, [forgetful.sub_user_id])
    last = closed.let_in_settled()
    doors.portal.delete(closed.path)
    return {
        "unknown account": {**settled.credentials, "account_email": "nobody@company.example"},
        "unknown sub-user": {**settled.credentials, "email": "nobody@company.example"},
        "wrong password": {**settled.credentials, "password": "not what it is"},
        "inactive": no_longer.credentials,
        "expired": late.credentials,
        "locked": locked.credentials,
        "expired temporary password": forgetful.credentials,
        "closed account": last.credentials,
    }


def lock(doors: Doors, one: SubUser) -> None:
    """Have the hundredth login in a row fail."""
    prints = doors.service.fingerprints
    keys = attempt_keys(prints, prints.email(one.account.email), prints.email(one.email), None)
    one.log_in(password="not what it is")
    with doors.service.database.get_connection() as connection:
        connection.execute("UPDATE throttle SET failures = 99 WHERE key = %s", [keys.counted])
    one.log_in(password="not what it is")
    assert one.shown()["locked"] is True


def try_to_log_in(doors: Doors, credentials: Credentials, **headers: str) -> TestResponse:
    here = {"X-Client-IP": str(ipaddress.IPv6Address(next(addresses)))}
    return doors.portal.post("/v1/sessions", json=credentials, headers={**here, **headers})


def test_whatever_is_wrong_the_answer_is_the_same(doors: Doors, refused: Mapping[str, Credentials]) -> None:
    """To the byte, with the same headers, under the same request id."""
    told = {"X-Request-Id": "the-same"}
    answers = {why: try_to_log_in(doors, credentials, **told) for why, credentials in refused.items()}
    require_problem(answers["wrong password"], 401, "login-refused")
    assert len({answer.data for answer in answers.values()}) == 1
    assert len({tuple(answer.headers.items()) for answer in answers.values()}) == 1


def test_an_answer_takes_its_time_even_where_it_is_known_at_once(
    doors: Doors, refused: Mapping[str, Credentials]
) -> None:
    """A quarter of a second, or a multiple, which is more than verifying a password takes."""
    for credentials in refused.values():
        assert timed(doors, credentials) >= 0.25


def timed(doors: Doors, credentials: Credentials) -> float:
    """Return the seconds until a login was refused."""
    began = time.perf_counter()
    answer = try_to_log_in(doors, credentials)
    seconds = time.perf_counter() - began
    assert answer.status_code == 401, answer.text
    return seconds


def timings(doors: Doors, refused: Mapping[str, Credentials], rounds: int, simultaneous: int) -> dict[str, list[float]]:
    """Return how long each kind took, so many times, several at once.

    Each round tries every kind once, in an order left to chance: of one kind many in a row would wait for each other,
    as those do who try the same credentials, and tell apart nothing but their place.
    """
    taken: dict[str, list[float]] = {why: [] for why in refused}
    with ThreadPoolExecutor(simultaneous) as threads:
        for begun in range(0, rounds, ROUNDS_UNTIL_FORGIVEN):
            with doors.service.database.get_connection() as connection:
                connection.execute("DELETE FROM throttle")
            in_rounds = [
                random.sample([*refused], len(refused)) for _ in range(min(ROUNDS_UNTIL_FORGIVEN, rounds - begun))
            ]
            tries = [*chain.from_iterable(in_rounds)]
            for why, seconds in zip(tries, threads.map(lambda why: timed(doors, refused[why]), tries), strict=True):
                taken[why].append(seconds)
    return taken


def area_under_curve(some: Sequence[float], others: Sequence[float]) -> float:
    """Return how often a classifier by a threshold is right about a pair: 0.5 is chance, 1.0 is knowledge."""
    ordered = sorted(others)
    pairs = sum((bisect_left(ordered, one) + bisect_right(ordered, one)) / 2 for one in some)
    share = pairs / (len(some) * len(others))
    return max(share, 1 - share)


def around(values: Sequence[float], middle: float) -> list[float]:
    """Return how far off each is: two kinds may differ in spread, though not in their middle."""
    return [abs(value - middle) for value in values]


def most_telling(taken: Mapping[str, Sequence[float]]) -> tuple[float, str]:
    """Return the area under the curve of the best classifier of any two kinds, and which it tells apart."""
    middle = median(value for values in taken.values() for value in values)
    found = []
    for one, other in combinations(taken, 2):
        area = max(
            area_under_curve(taken[one], taken[other]),
            area_under_curve(around(taken[one], middle), around(taken[other], middle)),
        )
        found.append((area, f"{one} / {other}"))
    return max(found)


def test_the_classifier_knows_a_difference_when_there_is_one() -> None:
    """A millisecond among hundreds, in the middle or in the spread."""
    same = [random.gauss(250, 1) for _ in range(1000)]
    later = [random.gauss(251, 1) for _ in range(1000)]
    wider = [random.gauss(250, 2) for _ in range(1000)]
    assert most_telling({"a": same, "b": later})[0] > 0.7
    assert most_telling({"a": same, "b": wider})[0] > 0.6
    assert most_telling({"a": same, "b": [random.gauss(250, 1) for _ in range(1000)]})[0] < 0.56


def test_a_few_dozen_timings_tell_nothing(doors: Doors, refused: Mapping[str, Credentials]) -> None:
    """No two kinds are told apart by them; of so few, chance alone makes an area of up to 0.85 in 28 pairs."""
    area, pair = most_telling(timings(doors, refused, 30, SIMULTANEOUS_AMONG_OTHERS))
    assert area < 0.85, pair


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_five_thousand_timings_tell_nothing(doors: Doors, refused: Mapping[str, Credentials]) -> None:
    """SECURITY, ASVS 6.3.8: a classifier on 5,000 timings each does no better than an area of 0.53.

    Of a closed account everybody knows that it is closed, so that its timings can be done without.
    """
    kinds = {why: credentials for why, credentials in refused.items() if why != "closed account"}
    area, pair = most_telling(timings(doors, kinds, 5000, SIMULTANEOUS))
    assert area < 0.53, pair
