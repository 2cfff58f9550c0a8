"""Processes killed under load: no acknowledged command is lost or executed twice."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.postgres.tables.mail_queue import CLAIM_DURATION
from api.runtime.worker import MAILERS
from tests.mail_server import Mailbox, mail_server
from tests.postgres import connect
from tests.processes.deployment import Deployment, Program, deployed, kill
from tests.processes.persistent_client import Account, PersistentClient
from tests.processes.portal import Company, Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from psycopg import Connection

CLIENTS = 6
KILLS = 10
MAX_SEND_TIME = timedelta(seconds=10)
"""More than a live worker needs for one mail in these tests."""


def test_commands_survive_a_kill_exactly_once(
    deploy: Callable[..., Deployment], database_url: str, tmp_path: Path
) -> None:
    """The API, the worker and their supervisor are killed under load and started again."""
    with mail_server(tmp_path) as (mailbox, smtp_url):
        deployment = deploy(smtp_url=smtp_url)
        (program,) = deployment.serve()
        api_key = deployment.api_key()
        with running_clients(deployment, api_key) as clients:
            wait_for_responses(clients, responses=25)
            kill_service(deployment, program, database_url)
            wait_for_responses(clients, responses=10)
        assert sum(client.interrupted_requests for client in clients) >= CLIENTS
        require_consistent_state(deployment, api_key, database_url, clients, mailbox, kills=1)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_commands_survive_many_kills_exactly_once(open_folder: Path, tmp_path: Path) -> None:
    """Ten kills at random moments: of each part alone, the database included, and of all parts together."""
    with mail_server(tmp_path) as (mailbox, smtp_url), deployed(open_folder, smtp_url=smtp_url) as deployment:
        (program,) = deployment.serve()
        api_key = deployment.api_key()
        database_url = deployment.embedded_database_url
        rng = random.Random()
        with running_clients(deployment, api_key) as clients:
            for number in range(KILLS):
                wait_for_responses(clients, responses=rng.randint(1, 60))
                program = FAULTS[number % len(FAULTS)](deployment, program, database_url)
            wait_for_responses(clients, responses=20)
        require_consistent_state(deployment, api_key, database_url, clients, mailbox, kills=KILLS)


def kill_service(deployment: Deployment, program: Program, database_url: str) -> Program:
    """Kill the API, the worker and their supervisor together, and start them again."""
    program.kill()
    with connect(database_url) as connection:
        release_claims(connection, timedelta())
    return deployment.serve()[0]


def kill_everything(deployment: Deployment, program: Program, _: str) -> Program:
    """Kill the API, the worker, their supervisor and the database, and start them again."""
    kill(program.process.pid, deployment.embedded_database_pid)
    program.kill()
    return deployment.serve()[0]


def kill_database(deployment: Deployment, program: Program, _: str) -> Program:
    """Kill only the database, which the supervisor starts again."""
    return kill_part(deployment, program, deployment.embedded_database_pid)


def kill_servers(deployment: Deployment, program: Program, _: str) -> Program:
    return kill_part(deployment, program, *processes_of(program, "api"))


def kill_server_process(deployment: Deployment, program: Program, _: str) -> Program:
    return kill_part(deployment, program, processes_of(program, "api")[-1])


def kill_worker(deployment: Deployment, program: Program, _: str) -> Program:
    """Kill the process of the followers and mailers."""
    return kill_part(deployment, program, processes_of(program, "work")[0])


FAULTS = [kill_server_process, kill_worker, kill_database, kill_service, kill_servers, kill_everything]


def processes_of(program: Program, name: str) -> list[int]:
    """Return the pids of the server processes ("api") or of the worker ("work"), once there are any."""
    return eventually(lambda: program.children(name))


def kill_part(deployment: Deployment, program: Program, *victims: int) -> Program:
    """Kill processes, and wait until the service is ready again."""
    kill(*victims)
    eventually(lambda: deployment.is_ready([program]))
    return program


@contextmanager
def running_clients(deployment: Deployment, api_key: str) -> Iterator[list[PersistentClient]]:
    """Run clients that create and edit sub-users; on exit, wait for the last response of each."""
    stop = threading.Event()
    clients = [PersistentClient(deployment.url, api_key, seed) for seed in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        runs = [threads.submit(client.run, stop) for client in clients]
        try:
            yield clients
        finally:
            stop.set()
    for run in runs:
        run.result()


def wait_for_responses(clients: list[PersistentClient], responses: int) -> None:
    """Wait until each client has received this many more responses."""
    totals = [len(client.acknowledged) + responses for client in clients]
    eventually(lambda: all(len(client.acknowledged) >= total for client, total in zip(clients, totals, strict=True)))


def require_consistent_state(
    deployment: Deployment,
    api_key: str,
    database_url: str,
    clients: list[PersistentClient],
    mailbox: Mailbox,
    kills: int,
) -> None:
    """Require every acknowledged command exactly once, unchanged idempotent responses, and complete views and mails."""
    with Portal(deployment.url, api_key) as portal:
        for client in clients:
            for account in client.accounts:
                require_acknowledged_state(portal, client, account)
            require_same_responses(portal, client)
    with connect(database_url) as connection:
        eventually(lambda: every_view_is_up_to_date(connection))
        require_gapless_streams(connection)
        require_mailed_once(connection, mailbox, kills)


def require_acknowledged_state(portal: Portal, client: PersistentClient, account: Account) -> None:
    """Require that the account's sub-user list and audit log match the acknowledged commands exactly."""
    company = Company(portal, account.path, "")
    listed = {
        sub_user["sub_user_id"]: {"name": sub_user["name"], "status": sub_user["status"]}
        for sub_user in company.sub_users()
    }
    assert listed == account.sub_users
    log = company.audit_log()
    by_people = Counter(row["action"] for row in log if row["actor"]["type"] != "system")
    assert by_people == account.action_counts
    positions = {str(row["position"]) for row in log}
    assert {request.position for request in client.acknowledged if request.path.startswith(account.path)} - {
        None
    } <= positions


def require_same_responses(portal: Portal, client: PersistentClient) -> None:
    """Require that a repeated idempotency key returns the first response, byte for byte."""
    for request in client.acknowledged:
        if request.key is not None:
            headers = {"Idempotency-Key": request.key}
            response = portal.request(request.method, request.path, json=request.body, headers=headers)
            position = response.headers.get("Event-Position")
            expected = (request.status, request.content, request.position)
            assert (response.status_code, response.content, position) == expected


def every_view_is_up_to_date(connection: Connection[Any]) -> bool:
    """Return whether every follower has reached the last event."""
    query = "SELECT min(position), (SELECT max(notification_id) FROM stored_events) FROM followers"
    reached, end = connection.execute(query).fetchone() or (None, None)
    return reached == end


def require_gapless_streams(connection: Connection[Any]) -> None:
    """Require that no stream of events has a gap in its versions."""
    query = "SELECT originator_id FROM stored_events GROUP BY originator_id HAVING max(originator_version) <> count(*)"
    assert connection.execute(query).fetchall() == []


def require_mailed_once(connection: Connection[Any], mailbox: Mailbox, kills: int) -> None:
    """Require that each mail was sent once; a mail in flight at a kill may repeat with the same Message-ID."""
    eventually(lambda: all_mails_are_finished(connection))
    rows = connection.execute("SELECT account_id, caused_by, state FROM mail_queue").fetchall()
    states = {f"<{account_id}.{caused_by}@127.0.0.1>": state for account_id, caused_by, state in rows}
    received = Counter(str(mail["Message-ID"]) for mail in list(mailbox.mails))
    assert {message_id for message_id, state in states.items() if state == "sent"} <= received.keys() <= states.keys()
    assert "failed" not in states.values()
    assert received.total() - len(received) <= MAILERS * kills


def all_mails_are_finished(connection: Connection[Any]) -> bool:
    """Return whether no mail is queued any more, after releasing the claims of killed workers."""
    release_claims(connection, MAX_SEND_TIME)
    return not connection.execute("SELECT FROM mail_queue WHERE state = 'queued'").fetchall()


def release_claims(connection: Connection[Any], older_than: timedelta) -> None:
    """Make mails due that were claimed longer ago than this.

    Their worker is dead, and a claim would otherwise last for minutes.
    """
    connection.execute(
        "UPDATE mail_queue SET due_at = now() WHERE state = 'queued' AND attempts > 0 AND due_at < %s",
        [datetime.now(UTC) + CLAIM_DURATION - older_than],
    )
