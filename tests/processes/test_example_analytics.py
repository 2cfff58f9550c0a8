"""The example consumer counts every login exactly once, despite missed and repeated messages."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.amqp.topology import Names, declare
from tests.postgres import fetch
from tests.processes.deployment import EXIT_TIMEOUT_SECONDS
from tests.processes.portal import Portal
from tests.processes.waiting import eventually
from tests.rabbitmq import connect_to_broker
from tests.tcp_proxy import tcp_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.processes.conftest import RunningService
    from tests.processes.deployment import Deployment
    from tests.rabbitmq import OwnBroker

pytestmark = pytest.mark.timeout(300)
"""On a busy machine RabbitMQ alone may take a minute to start."""

EXAMPLE = Path(__file__).parents[2] / "examples" / "analytics.py"


@contextmanager
def analytics(url: str, broker: str, file: Path, api_key: str) -> Iterator[subprocess.Popen[str]]:
    """Run the example for the duration of the block."""
    with (
        file.with_suffix(".log").open("w") as log,
        subprocess.Popen(
            [sys.executable, EXAMPLE, url, "--broker", broker, "--file", file],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"ANALYTICS_API_KEY": api_key, "PYTHONUTF8": "1"},
            text=True,
        ) as example,
    ):
        try:
            yield example
        finally:
            example.terminate()


def log_of(file: Path) -> str:
    """Return the output of the example since its last start."""
    return file.with_suffix(".log").read_text()


def counted_logins(file: Path) -> int:
    """Return the number of logins counted by the example, -1 before its table exists."""
    with closing(sqlite3.connect(file)) as database, suppress(sqlite3.OperationalError):
        return int(database.execute("SELECT coalesce(sum(logins), 0) FROM logins_per_day").fetchone()[0])
    return -1


def test_analytics_example_counts_every_login_once(
    deploy: Callable[..., Deployment], database_url: str, broker: OwnBroker, tmp_path: Path
) -> None:
    """It counts logins before its first start, live ones, and those while it, its queue or the broker is gone."""
    url, file = broker.create_vhost(), tmp_path / "analytics.sqlite"
    deployment = deploy()
    api_key = deployment.api_key("analytics")
    with tcp_proxy(url) as proxy, Portal(deployment.url, deployment.api_key()) as portal:
        deployment.environment["SUBUSERS_BROKER_URL"] = proxy.url
        deployment.serve("api", "work")
        sub_user = portal.register().add_with_own_password()
        eventually(lambda: stored_logins(database_url) > 0)
        with analytics(deployment.url, proxy.url, file, api_key):
            eventually(lambda: counted_logins(file) == stored_logins(database_url))
            sub_user.log_in()
            eventually(lambda: counted_logins(file) == stored_logins(database_url))

        sub_user.log_in()
        connection = connect_to_broker(url)
        connection.channel().queue_delete("analytics.logins")
        connection.close()
        sub_user.log_in()
        with analytics(deployment.url, proxy.url, file, api_key):
            eventually(lambda: counted_logins(file) == stored_logins(database_url))
            proxy.shut()
            sub_user.log_in()
            proxy.open()
            eventually(lambda: counted_logins(file) == stored_logins(database_url))
            total = stored_logins(database_url)
            assert total >= 5
            eventually(lambda: f"{total:6}" in log_of(file).splitlines()[-1])


def stored_logins(database_url: str) -> int:
    ((count,),) = fetch(database_url, "SELECT count(*) FROM stored_events WHERE topic = 'SubUserLoggedIn'")
    return int(count)


def test_analytics_example_reports_an_invalid_api_key(
    running_service: RunningService, broker: OwnBroker, tmp_path: Path
) -> None:
    """The example prints a one-line error and exits 1."""
    url, file = broker.create_vhost(), tmp_path / "analytics.sqlite"
    connection = connect_to_broker(url)
    declare(connection, Names())
    connection.close()
    with analytics(running_service.deployment.url, url, file, api_key="no such key") as example:
        assert example.wait(EXIT_TIMEOUT_SECONDS) == 1
    assert log_of(file).splitlines()[-1].startswith("the feed refused the request: 401 ")
