"""The example of a consumer counts every login once, whatever it missed and whatever comes twice."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.postgres import ask
from tests.processes.portal import Portal
from tests.processes.waiting import eventually
from tests.rabbitmq import dial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.processes.deployment import Deployment
    from tests.rabbitmq import OwnBroker

EXAMPLE = Path(__file__).parents[2] / "examples" / "analytics.py"


@contextmanager
def analytics(deployment: Deployment, file: Path, api_key: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run the example, and end it."""
    broker, api_key = deployment.environment["SUBUSERS_BROKER_URL"], api_key or deployment.api_key("analytics")
    with (
        file.with_suffix(".log").open("w") as said,
        subprocess.Popen(
            [sys.executable, EXAMPLE, deployment.url, "--broker", broker, "--file", file],
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
    deployment = deploy(broker_url=url)
    deployment.serve("api", "work")
    with Portal(deployment.url, deployment.api_key()) as portal:
        person = portal.register().add_settled()
        eventually(lambda: count_in_history(database_url) > 0)
        with analytics(deployment, file):
            eventually(lambda: counted(file) == count_in_history(database_url))
            person.log_in()
            eventually(lambda: counted(file) == count_in_history(database_url))

        person.log_in()
        connection = dial(url)
        connection.channel().queue_delete("analytics.logins")
        connection.close()
        person.log_in()
        with analytics(deployment, file):
            eventually(lambda: counted(file) == count_in_history(database_url))
            broker.kill()
            try:
                person.log_in()
            finally:
                broker.start()
            eventually(lambda: counted(file) == count_in_history(database_url))
    total = count_in_history(database_url)
    assert total >= 5
    assert f"{total:6}" in file.with_suffix(".log").read_text().splitlines()[-1]


def count_in_history(database_url: str) -> int:
    ((count,),) = ask(database_url, "SELECT count(*) FROM stored_events WHERE topic = 'SubUserLoggedIn'")
    return int(count)


def test_a_key_that_opens_nothing_is_told(deploy: Callable[..., Deployment], broker: OwnBroker, tmp_path: Path) -> None:
    """In one line, and with an exit code."""
    deployment = deploy(broker_url=broker.vhost())
    deployment.serve("api", "work")
    file = tmp_path / "analytics.sqlite"
    with analytics(deployment, file, api_key="no such key") as example:
        assert example.wait(30) == 1
    assert file.with_suffix(".log").read_text().splitlines()[-1].startswith("the feed says no: 401 ")
