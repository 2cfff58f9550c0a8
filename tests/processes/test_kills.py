"""Killed at any moment, the service loses nothing that it has answered, and does nothing twice."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.postgres.mail_queue import CLAIMED_FOR
from api.worker import MAILERS
from tests.mail_server import Mailbox, mail_server
from tests.postgres import connect
from tests.processes.deployment import Deployment, Program, command_of, deployed, descendants, kill
from tests.processes.persistent_client import Account, PersistentClient
from tests.processes.portal import Company, Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from psycopg import Connection

CLIENTS = 6
KILLS = 10
LONGEST_TO_SEND = timedelta(seconds=10)
"""More than a living worker takes over one mail here."""


def test_nothing_is_lost_or_done_twice(deploy: Callable[..., Deployment], database_url: str, tmp_path: Path) -> None:
    """The doors and the work, killed in the middle of a load, and started again: see `require_all_is_well`."""
    with mail_server(tmp_path) as (mailbox, smtp_url):
        deployment = deploy(smtp_url=smtp_url)
        (program,) = deployment.serve()
        api_key = deployment.api_key()
        with load(deployment, api_key) as clients:
            go_on(clients, answers=25)
            kill_service(deployment, program, database_url)
            go_on(clients, answers=10)
        assert sum(client.interrupted for client in clients) >= CLIENTS
        require_all_is_well(deployment, api_key, database_url, clients, mailbox, kills=1)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nothing_is_lost_over_many_kills(open_folder: Path, tmp_path: Path) -> None:
    """So it is over ten kills at random moments: of everything, and of each part alone, the database included."""
    with mail_server(tmp_path) as (mailbox, smtp_url), deployed(open_folder, smtp_url=smtp_url) as deployment:
        (program,) = deployment.serve()
        api_key = deployment.api_key()
        database_url = deployment.embedded_database_url
        chance = random.Random()
        with load(deployment, api_key) as clients:
            for number in range(KILLS):
                go_on(clients, answers=chance.randint(1, 60))
                program = FAULTS[number % len(FAULTS)](deployment, program, database_url)
            go_on(clients, answers=20)
        require_all_is_well(deployment, api_key, database_url, clients, mailbox, kills=KILLS)


def kill_service(deployment: Deployment, program: Program, database_url: str) -> Program:
    """Kill the doors, the work and their supervisor together; start again."""
    program.kill()
    with connect(database_url) as connection:
        release_claims(connection, timedelta())
    return deployment.serve()[0]


def kill_everything(deployment: Deployment, program: Program, _: str) -> Program:
    """Likewise, and the database with them."""
    kill(program.process.pid, deployment.embedded_database_pid)
    program.kill()
    return deployment.serve()[0]


def kill_database(deployment: Deployment, program: Program, _: str) -> Program:
    """Kill the database alone: its supervisor starts it again."""
    return kill_part(deployment, program, deployment.embedded_database_pid)


def kill_doors(deployment: Deployment, program: Program, _: str) -> Program:
    """Kill the parent of the server processes, which end with it."""
    return kill_part(deployment, program, part(program, "api")[0])


def kill_server_process(deployment: Deployment, program: Program, _: str) -> Program:
    """Kill one of the server processes."""
    return kill_part(deployment, program, part(program, "api")[-1])


def kill_work(deployment: Deployment, program: Program, _: str) -> Program:
    """Kill the followers and mailers."""
    return kill_part(deployment, program, part(program, "work")[0])


FAULTS = [kill_server_process, kill_work, kill_database, kill_service, kill_doors, kill_everything]


def part(program: Program, command: str) -> list[int]:
    """Return the processes that run a command for a supervisor, the first one first."""
    return eventually(
        lambda: [pid for pid in descendants(program.process.pid) if f"api.cli {command} " in command_of(pid)]
    )


def kill_part(deployment: Deployment, program: Program, victim: int) -> Program:
    """Kill a process, and wait until the service is well again."""
    kill(victim)
    eventually(lambda: deployment.is_ready([program]))
    return program


@contextmanager
def load(deployment: Deployment, api_key: str) -> Iterator[list[PersistentClient]]:
    """Have clients create and edit sub-users, until the block ends and each has got its last answer."""
    over = threading.Event()
    clients = [PersistentClient(deployment.url, api_key, seed) for seed in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        runs = [threads.submit(client.run, over) for client in clients]
        try:
            yield clients
        finally:
            over.set()
    for run in runs:
        run.result()


def go_on(clients: list[PersistentClient], answers: int) -> None:
    """Wait until each client has got so many more answers."""
    wanted = [len(client.acknowledged) + answers for client in clients]
    eventually(lambda: all(len(one.acknowledged) >= want for one, want in zip(clients, wanted, strict=True)))


def require_all_is_well(
    deployment: Deployment,
    api_key: str,
    database_url: str,
    clients: list[PersistentClient],
    mailbox: Mailbox,
    kills: int,
) -> None:
    """All that was answered is there, once; asked again, the answers are the same; the views and mails catch up."""
    with Portal(deployment.url, api_key) as portal:
        for client in clients:
            for account in client.accounts:
                require_as_told(portal, client, account)
            require_same_answers(portal, client)
    with connect(database_url) as connection:
        eventually(lambda: every_view_is_up_to_date(connection))
        require_whole_streams(connection)
        require_mailed_once(connection, mailbox, kills)


def require_as_told(portal: Portal, client: PersistentClient, account: Account) -> None:
    """The account's list and audit log are what the answers amount to: nothing less, nothing more."""
    company = Company(portal, account.path, "")
    listed = {one["sub_user_id"]: {"name": one["name"], "status": one["status"]} for one in company.sub_users()}
    assert listed == account.sub_users
    log = company.audit_log()
    by_people = Counter(row["action"] for row in log if row["actor"]["type"] != "system")
    assert by_people == account.done
    positions = {str(row["position"]) for row in log}
    assert {one.position for one in client.acknowledged if one.path.startswith(account.path)} - {None} <= positions


def require_same_answers(portal: Portal, client: PersistentClient) -> None:
    """A request that is sent again with its key gets its first answer, byte for byte."""
    for one in client.acknowledged:
        if one.key is not None:
            again = portal.request(one.method, one.path, json=one.body, headers={"Idempotency-Key": one.key})
            position = again.headers.get("Event-Position")
            assert (again.status_code, again.content, position) == (one.status, one.content, one.position)


def every_view_is_up_to_date(connection: Connection[Any]) -> bool:
    """Say whether every follower has come to where the history ends."""
    query = "SELECT min(position), (SELECT max(notification_id) FROM stored_events) FROM followers"
    reached, end = connection.execute(query).fetchone() or (None, None)
    return reached == end


def require_whole_streams(connection: Connection[Any]) -> None:
    """Every account's versions follow each other without a gap."""
    query = "SELECT originator_id FROM stored_events GROUP BY originator_id HAVING max(originator_version) <> count(*)"
    assert connection.execute(query).fetchall() == []


def require_mailed_once(connection: Connection[Any], mailbox: Mailbox, kills: int) -> None:
    """Each mail went out once; one that was being sent at a kill may have gone out again, as the same mail."""
    eventually(lambda: all_are_settled(connection))
    rows = connection.execute("SELECT account_id, caused_by, state FROM mail_queue").fetchall()
    states = {f"<{account_id}.{caused_by}@127.0.0.1>": state for account_id, caused_by, state in rows}
    received = Counter(str(mail["Message-ID"]) for mail in list(mailbox.mails))
    assert {identity for identity, state in states.items() if state == "sent"} <= received.keys() <= states.keys()
    assert "failed" not in states.values()
    assert received.total() - len(received) <= MAILERS * kills


def all_are_settled(connection: Connection[Any]) -> bool:
    """Say whether no mail waits any more; one that nobody can be sending still does not wait until its claim ends."""
    release_claims(connection, LONGEST_TO_SEND)
    return not connection.execute("SELECT FROM mail_queue WHERE state = 'queued'").fetchall()


def release_claims(connection: Connection[Any], older_than: timedelta) -> None:
    """Have mails come due that were claimed before so long: their worker is dead, and claims last for minutes."""
    connection.execute(
        "UPDATE mail_queue SET due_at = now() WHERE state = 'queued' AND attempts > 0 AND due_at < %s",
        [datetime.now(UTC) + CLAIMED_FOR - older_than],
    )
