"""Database faults: every route reports them, no command is half done, and the service recovers by itself."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from psycopg import sql
from structlog.testing import capture_logs

from tests.api.clients import is_session_active, require_problem
from tests.api.route_table import EXAMPLE_ID, routes
from tests.postgres import connect, terminate_connections
from tests.waiting import eventually, run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.test import TestResponse

    from tests.api.clients import ApiClients
    from tests.api.route_table import Route

MAX_RESPONSE_SECONDS = 10.0
"""Seconds within which a client gets its response: less than the timeout of a proxy in front."""


@contextmanager
def database_unavailable(server_url: str, database_url: str) -> Iterator[None]:
    """Close every connection to this database, and refuse new ones until the block ends."""
    allow_connections = "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
    database = urlsplit(database_url).path.strip("/")
    name = sql.Identifier(database)
    with connect(server_url) as server:
        server.execute(sql.SQL(allow_connections).format(name, sql.SQL("false")))
        terminate_connections(server_url, database)
        try:
            yield
        finally:
            server.execute(sql.SQL(allow_connections).format(name, sql.SQL("true")))


def test_every_route_returns_503_without_the_database(
    own_clients: ApiClients, server_url: str, database_url: str
) -> None:
    """Liveness stays 200, readiness fails, and nothing has changed once the database is back."""
    clients = own_clients
    account = clients.register_account()
    sub_user = account.create_with_own_password()
    token = sub_user.new_token()
    before, history = sub_user.fetch(), account.audit_log_rows()
    ids = {"account_id": account.account_id, "sub_user_id": sub_user.sub_user_id}
    routes_with_scopes = [route for route in routes() if route.scopes]

    def request_for(route: Route) -> Callable[[], TestResponse]:
        path = route.path(**ids)
        request = {"headers": {"Session-Token": token}, **route.body_about(EXAMPLE_ID)}
        return lambda: clients.with_scope(min(route.scopes or ())).request(route.method, path, **request)

    with database_unavailable(server_url, database_url):
        began = time.monotonic()
        probes = [lambda: clients.prometheus.get("/metrics"), lambda: clients.anonymous.get("/readyz")]
        metrics, *responses = run_concurrently([*probes, *map(request_for, routes_with_scopes)])
        assert clients.anonymous.get("/healthz").status_code == 200
        assert time.monotonic() - began < MAX_RESPONSE_SECONDS
        for response in responses:
            assert not isinstance(response, Exception), response
            require_problem(response, 503, "store-unavailable")
            assert int(response.headers["Retry-After"]) >= 1
        assert getattr(metrics, "status_code", metrics) == 200

    eventually(lambda: clients.anonymous.get("/readyz").status_code == 200)
    assert eventually(lambda: clients.portal.get(sub_user.path).status_code == 200)
    assert sub_user.fetch() == before
    assert account.audit_log_rows() == history
    assert is_session_active(clients.portal, token)
    assert sub_user.log_in().status_code == 201


def test_read_only_database_is_not_ready(own_clients: ApiClients, server_url: str, database_url: str) -> None:
    """Reads and commands return 503 until the database accepts writes again."""
    account = own_clients.register_account()
    database = sql.Identifier(urlsplit(database_url).path.strip("/"))
    with connect(server_url) as server:
        server.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(database))
        terminate_connections(database_url)
        eventually(lambda: own_clients.anonymous.get("/readyz").status_code == 503)
        require_problem(own_clients.portal.get(account.path), 503, "store-unavailable")
        server.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(database))
    eventually(lambda: own_clients.anonymous.get("/readyz").status_code == 200)
    assert own_clients.portal.get(account.path).status_code == 200


def test_closed_connections_fail_few_requests(own_clients: ApiClients, database_url: str) -> None:
    """A failed command can be retried with the same idempotency key, and takes effect once."""
    account = own_clients.register_account()
    body = {"email": "grace@company.example", "name": "Grace", "surname": "Hopper"}
    for number in range(3):
        terminate_connections(database_url)
        headers = {"Idempotency-Key": f"attempt-{number}"}
        details = {**body, "email": f"grace-{number}@company.example"}
        statuses: list[int] = []
        while not statuses or statuses[-1] == 503:
            statuses.append(account.portal.post(f"{account.path}/sub-users", json=details, headers=headers).status_code)
        assert statuses[-1] == 201
        assert len(statuses) < 20
    assert len(account.portal.get(f"{account.path}/sub-users").json["items"]) == 3  # type: ignore[index]


def test_log_has_the_reason_of_the_database_failure(
    own_clients: ApiClients, server_url: str, database_url: str
) -> None:
    """It is the driver's message, which the response does not contain."""
    with database_unavailable(server_url, database_url), capture_logs() as lines:
        response = own_clients.anonymous.get("/readyz")
    require_problem(response, 503, "store-unavailable")
    (line,) = [line for line in lines if line["event"] == "request.unavailable"]
    assert line["kind"] in {"lost connection", "shutdown, crash or start of the server"}
    assert line["reason"]
    assert line["reason"] not in response.text


def test_internal_error_reveals_no_internals(own_clients: ApiClients, database_url: str) -> None:
    """The problem has the request id, but no names of tables, statements or files."""
    account = own_clients.register_account()
    with connect(database_url) as connection:
        connection.execute("ALTER TABLE sub_user_view RENAME COLUMN surname TO family_name")
    response = own_clients.portal.get(f"{account.path}/sub-users")
    problem = require_problem(response, 500, "internal-error")
    assert problem["detail"] == "Internal error. Quote the request id when you report it."
    for internal_name in ("surname", "column", "psycopg", "Traceback", "sub_user_view", ".py"):
        assert internal_name not in response.text
