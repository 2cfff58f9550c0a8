"""The floor: what a bare Flask application on the same server can do with one statement of psycopg's a request.

Run as `python -m benchmarks.floor DATABASE_URL PORT PROCESSES THREADS`. It does what any service in this place would
have to do, and nothing else: it takes JSON, runs one prepared statement on a connection from a pool, and gives JSON.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from uuid import UUID

from flask import Flask, Response, json, request
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from api.processes import keep_to_a_core

DATABASE, THREADS, FOLDER = "FLOOR_DATABASE_URL", "FLOOR_THREADS", "FLOOR_FOLDER"
"""By which the server tells its processes."""

TABLES = """
CREATE TABLE IF NOT EXISTS floor_events (
    originator_id uuid NOT NULL, originator_version bigint NOT NULL, topic text NOT NULL, state bytea NOT NULL,
    notification_id bigserial, PRIMARY KEY (originator_id, originator_version));
CREATE UNIQUE INDEX IF NOT EXISTS floor_events_position ON floor_events (notification_id);
"""
"""As `stored_events`, so that an INSERT here costs what one there does."""

INSERT = """
INSERT INTO floor_events (originator_id, originator_version, topic, state) VALUES (gen_random_uuid(), 1, %s, %s)
RETURNING originator_id, notification_id"""
BY_KEY = "SELECT session_id, account_id, person_id, restricted, expires_at FROM sessions WHERE session_id = %s"
OF_ACCOUNT = """
SELECT sub_user_id, account_id, email, name, surname, active, visible, created_at, last_login_at, access_expires_at,
       must_change_password, credentials_mail, locked
FROM sub_user_view WHERE account_id = %s ORDER BY created_at, sub_user_id LIMIT 10"""


def application() -> Flask:
    """Return the application for one server process."""
    keep_to_a_core(Path(os.environ[FOLDER]))
    app = Flask("floor", static_folder=None)
    threads = int(os.environ[THREADS])
    pool = ConnectionPool(
        os.environ[DATABASE],
        kwargs={"autocommit": True, "row_factory": dict_row},
        min_size=threads,
        max_size=threads,
        open=True,
    )

    @app.post("/insert")
    def insert() -> Response:
        body = request.get_json()
        with pool.connection() as connection:
            row = connection.execute(INSERT, [body["topic"], body["state"].encode()], prepare=True).fetchone()
        return answer(row)

    @app.post("/by-key")
    def by_key() -> Response:
        key = UUID(request.get_json()["key"])
        with pool.connection() as connection:
            row = connection.execute(BY_KEY, [key], prepare=True).fetchone()
        return answer(row)

    @app.get("/of-account/<uuid:account_id>")
    def of_account(account_id: UUID) -> Response:
        with pool.connection() as connection:
            rows = connection.execute(OF_ACCOUNT, [account_id], prepare=True).fetchall()
        return answer({"items": rows})

    return app


def answer(value: object) -> Response:
    return Response(json.dumps(value), content_type="application/json")


def main() -> None:
    """Serve until told to stop."""
    url, port, processes, threads = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        os.environ[DATABASE], os.environ[THREADS], os.environ[FOLDER] = url, threads, folder
        Server(
            "benchmarks.floor:application",
            factory=True,
            port=int(port),
            interface=Interfaces.WSGI,
            workers=int(processes),
            blocking_threads=int(threads),
            websockets=False,
            log_level=LogLevels.error,
        ).serve()


if __name__ == "__main__":
    main()
