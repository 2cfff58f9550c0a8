"""A fault behind the doors: every route says so, nothing is half done, and all is well again by itself."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from psycopg import sql
from structlog.testing import capture_logs

from tests.api.callers import is_active, require_problem
from tests.api.route_table import STAND_IN, routes
from tests.postgres import connect, cut_off
from tests.waiting import at_once, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.test import TestResponse

    from tests.api.callers import Doors
    from tests.api.route_table import Route

SOON = 10.0
"""Seconds within which a caller is told; a proxy in front waits longer."""


@contextmanager
def gone(server_url: str, database_url: str) -> Iterator[None]:
    """Have the server cut every connection to this database, and let nobody in."""
    allow = "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
    database = urlsplit(database_url).path.strip("/")
    name = sql.Identifier(database)
    with connect(server_url) as server:
        server.execute(sql.SQL(allow).format(name, sql.SQL("false")))
        cut_off(server_url, database)
        try:
            yield
        finally:
            server.execute(sql.SQL(allow).format(name, sql.SQL("true")))


def test_without_its_database_every_route_says_so_and_recovers(
    own_doors: Doors, server_url: str, database_url: str
) -> None:
    """503 with Retry-After, soon; still alive, but not ready; and once the database is back, as if nothing had been."""
    doors = own_doors
    account = doors.account()
    one = account.let_in_settled()
    token = one.token()
    before, history = one.shown(), account.rows()
    ids = {"account_id": account.account_id, "sub_user_id": one.sub_user_id}
    guarded = [route for route in routes() if route.scopes]

    def asking(route: Route) -> Callable[[], TestResponse]:
        path = route.path(**ids)
        request = {"headers": {"Session-Token": token}, **route.body_about(STAND_IN)}
        return lambda: doors.with_scope(min(route.scopes or ())).ask(route.method, path, **request)

    with gone(server_url, database_url):
        began = time.monotonic()
        probes = [lambda: doors.stranger.get("/metrics"), lambda: doors.stranger.get("/readyz")]
        metrics, *answers = at_once([*probes, *map(asking, guarded)])
        assert doors.stranger.get("/healthz").status_code == 200
        assert time.monotonic() - began < SOON
        for answer in answers:
            assert not isinstance(answer, Exception), answer
            require_problem(answer, 503, "store-unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
        assert getattr(metrics, "status_code", metrics) == 200

    eventually(lambda: doors.stranger.get("/readyz").status_code == 200)
    assert eventually(lambda: doors.portal.get(one.path).status_code == 200)
    assert one.shown() == before
    assert account.rows() == history
    assert is_active(doors.portal, token)
    assert one.log_in().status_code == 201


def test_cut_connections_cost_a_few_requests_at_the_most(own_doors: Doors, database_url: str) -> None:
    """Each is a 503 that may be tried again, and with the same key nothing is done twice."""
    account = own_doors.account()
    body = {"email": "grace@company.example", "name": "Grace", "surname": "Hopper"}
    for number in range(3):
        cut_off(database_url)
        key = {"Idempotency-Key": f"attempt-{number}"}
        details = {**body, "email": f"grace-{number}@company.example"}
        statuses: list[int] = []
        while not statuses or statuses[-1] == 503:
            statuses.append(account.portal.post(f"{account.path}/sub-users", json=details, headers=key).status_code)
        assert statuses[-1] == 201
        assert len(statuses) < 20
    assert len(account.portal.get(f"{account.path}/sub-users").json["items"]) == 3  # type: ignore[index]


def test_the_log_says_why_the_database_could_not_be_had(own_doors: Doors, server_url: str, database_url: str) -> None:
    """In the driver's own words: the caller is told no more than that."""
    with gone(server_url, database_url), capture_logs() as lines:
        require_problem(own_doors.stranger.get("/readyz"), 503, "store-unavailable")
    (line,) = [line for line in lines if line["event"] == "request.unavailable"]
    assert line["cause"]


def test_an_unexpected_failure_tells_nothing_of_the_insides(own_doors: Doors, database_url: str) -> None:
    """500 with the request id, and not a word of tables, statements or files."""
    account = own_doors.account()
    with connect(database_url) as connection:
        connection.execute("ALTER TABLE sub_user_view RENAME COLUMN surname TO family_name")
    answer = own_doors.portal.get(f"{account.path}/sub-users")
    problem = require_problem(answer, 500, "internal-error")
    assert problem["detail"] == "Something went wrong here. The request id names it."
    for inside in ("surname", "column", "psycopg", "Traceback", "sub_user_view", ".py"):
        assert inside not in answer.text
