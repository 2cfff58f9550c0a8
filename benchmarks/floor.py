"""The floor: a bare Flask application, on the same HTTP server, that runs one psycopg statement per request.

Run as `python -m benchmarks.floor DATABASE_URL PORT PROCESSES THREADS`. It does only what any such service must do:
parse JSON, run one prepared statement on a pooled connection, return JSON.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from uuid import UUID

from flask import Flask, Response, json, request
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from api.bootstrap import config
from api.bootstrap.config import Settings
from api.runtime.heartbeats import Heartbeats
from api.runtime.processes import SignalPipe
from api.runtime.supervisor import Child, Supervisor
from api.server.server_process import Application, listen
from api.server.server_process import serve as serve_http

TABLES = """
CREATE TABLE IF NOT EXISTS floor_events (
    originator_id uuid NOT NULL, originator_version bigint NOT NULL, topic text NOT NULL, state bytea NOT NULL,
    notification_id bigserial, PRIMARY KEY (originator_id, originator_version));
CREATE UNIQUE INDEX IF NOT EXISTS floor_events_position ON floor_events (notification_id);
"""
"""Like `stored_events`, so that an INSERT costs the same."""

INSERT = """
INSERT INTO floor_events (originator_id, originator_version, topic, state) VALUES (gen_random_uuid(), 1, %s, %s)
RETURNING originator_id, notification_id"""
SESSION_BY_KEY = "SELECT session_id, account_id, person_id, assurance, expires_at FROM sessions WHERE session_id = %s"
SUB_USERS_OF_ACCOUNT = """
SELECT sub_user_id, account_id, email, name, surname, active, visible, created_at, last_login_at, access_expires_at,
       must_change_password, credentials_mail, locked
FROM sub_user_view WHERE account_id = %s ORDER BY created_at, sub_user_id LIMIT 10"""


def application(url: str, threads: int) -> Application:
    """Return the application for one server process."""
    app = Flask("floor", static_folder=None)
    pool = ConnectionPool(
        url,
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
        return json_response(row)

    @app.post("/by-key")
    def by_key() -> Response:
        key = UUID(request.get_json()["key"])
        with pool.connection() as connection:
            row = connection.execute(SESSION_BY_KEY, [key], prepare=True).fetchone()
        return json_response(row)

    @app.get("/of-account/<uuid:account_id>")
    def of_account(account_id: UUID) -> Response:
        with pool.connection() as connection:
            rows = connection.execute(SUB_USERS_OF_ACCOUNT, [account_id], prepare=True).fetchall()
        return json_response({"items": rows})

    return Application(app, close=pool.close)


def json_response(value: object) -> Response:
    return Response(json.dumps(value), content_type="application/json")


def main() -> None:
    """Serve until stopped."""
    url, port, processes, threads = sys.argv[1], *map(int, sys.argv[2:])
    signals = SignalPipe()
    with tempfile.TemporaryDirectory() as folder:
        config.share_metrics_in(Path(folder))
        settings = floor_settings(url, port, processes, threads, Path(folder))
        heartbeats = Heartbeats(processes)
        with listen(settings.host, port) as listener:
            create = partial(application, url, threads)
            children = [
                Child(
                    f"api {n}",
                    partial(serve_http, create, settings, listener, heartbeats.heartbeat_of(n)),
                    heartbeats.heartbeat_of(n),
                )
                for n in range(processes)
            ]
            Supervisor(children, signals, settings.watchdog_seconds).run()


def floor_settings(url: str, port: int, processes: int, threads: int, folder: Path) -> Settings:
    return Settings(
        database_url=url,
        smtp_url=None,
        mail_from=None,
        master_keys=(),
        data_dir=folder,
        host="127.0.0.1",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        server_processes=processes,
        threads=threads,
        cores=processes,
        embedded=False,
    )


if __name__ == "__main__":
    main()
