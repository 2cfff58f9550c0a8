"""The example of a consumer counts every login once, whatever it missed and whatever comes twice."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.amqp.topology import Names, declare
from tests.postgres import ask
from tests.processes.deployment import SECONDS_TO_END
from tests.processes.portal import Portal
from tests.processes.waiting import eventually
from tests.rabbitmq import dial
from tests.wire import wire_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.processes.conftest import Running
    from tests.processes.deployment import Deployment
    from tests.rabbitmq import OwnBroker

pytestmark = pytest.mark.timeout(300)
"""Where a machine is busy, RabbitMQ alone may take a minute to start."""

EXAMPLE = Path(__file__).parents[2] / "examples" / "analytics.py"


@contextmanager
def analytics(url: str, broker: str, file: Path, api_key: str) -> Iterator[subprocess.Popen[str]]:
    """Run the example, and end it."""
    with (
        file.with_suffix(".log").open("w") as said,
        subprocess.Popen(
            [sys.executable, EXAMPLE, url, "--broker", broker, "--file", file],
            stdout=said,
            stderr=subprocess.STDOUT,
            env={"ANALYTICS_API_KEY": api_key, "PYTHONUTF8": "1"},
            text=True,
        ) as example,
    ):
        try:
            yield example
        finally:
            example.terminate()


def said(file: Path) -> str:
    """Return what the example has printed since it was started last."""
    return file.with_suffix(".log").read_text()


def counted(file: Path) -> int:
    """Return how many logins the table has; -1 before there is one."""
    with closing(sqlite3.connect(file)) as database, suppress(sqlite3.OperationalError):
        return int(database.execute("SELECT coalesce(sum(logins), 0) FROM logins_per_day").fetchone()[0])
    return -1


def test_every_login_counts_once(
    deploy: Callable[..., Deployment], database_url: str, broker: OwnBroker, tmp_path: Path
) -> None:
    """History before it came, what comes, what came while it was gone and its queue too, and while the broker was."""
    url, file = broker.vhost(), tmp_path / "analytics.sqlite"
    deployment = deploy()
    api_key = deployment.api_key("analytics")
    with wire_to(url) as wire, Portal(deployment.url, deployment.api_key()) as portal:
        deployment.environment["SUBUSERS_BROKER_URL"] = wire.url
        deployment.serve("api", "work")
        person = portal.register().add_settled()
        eventually(lambda: count_in_history(database_url) > 0)
        with analytics(deployment.url, wire.url, file, api_key):
            eventually(lambda: counted(file) == count_in_history(database_url))
            person.log_in()
            eventually(lambda: counted(file) == count_in_history(database_url))

        person.log_in()
        connection = dial(url)
        connection.channel().queue_delete("analytics.logins")
        connection.close()
        person.log_in()
        with analytics(deployment.url, wire.url, file, api_key):
            eventually(lambda: counted(file) == count_in_history(database_url))
            wire.shut()
            person.log_in()
            wire.open()
            eventually(lambda: counted(file) == count_in_history(database_url))
            total = count_in_history(database_url)
            assert total >= 5
            eventually(lambda: f"{total:6}" in said(file).splitlines()[-1])


def count_in_history(database_url: str) -> int:
    ((count,),) = ask(database_url, "SELECT count(*) FROM stored_events WHERE topic = 'SubUserLoggedIn'")
    return int(count)


def test_a_key_that_opens_nothing_is_told(running: Running, broker: OwnBroker, tmp_path: Path) -> None:
    """In one line, and with an exit code."""
    url, file = broker.vhost(), tmp_path / "analytics.sqlite"
    connection = dial(url)
    declare(connection, Names())
    connection.close()
    with analytics(running.deployment.url, url, file, api_key="no such key") as example:
        assert example.wait(SECONDS_TO_END) == 1
    assert said(file).splitlines()[-1].startswith("the feed says no: 401 ")
