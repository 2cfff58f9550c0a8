"""A worker whose host clock is wrong: it reports the skew, deletes nothing early, and does its other work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.postgres import fetch
from tests.processes.portal import Portal
from tests.processes.skewed_worker import ROUND_MARKER
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.deployment import Deployment

FOLDER = Path(__file__).parents[2]
ROUNDS = 10
SIGNED = """
SELECT tree_size = (SELECT count(*) FROM stored_events) AND abs(extract(epoch FROM now() - signed_at)) < 60
FROM checkpoints ORDER BY number DESC LIMIT 1
"""
EXPIRING_ROWS = "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM kept_answers)"


@pytest.mark.parametrize("hours", [25, pytest.param(-25, marks=pytest.mark.long)])
def test_worker_with_a_wrong_clock_deletes_nothing_early(
    deploy: Callable[..., Deployment], database_url: str, hours: int
) -> None:
    """Housekeeping keeps sessions and idempotent responses, even old ones, and checkpoints are signed."""
    deployment = deploy(server_processes="1")
    deployment.serve("api")
    with Portal(deployment.url, deployment.api_key()) as portal:
        token = portal.register().add_with_own_password().log_in()
        body = {"email": "boss@company.example", "company_name": "Winds & Waves"}
        first = portal.call(201, "POST", "/v1/accounts", body, Idempotency_Key="one-and-the-same")
        fetch(database_url, "UPDATE kept_answers SET answered_at = now() - interval '23 hours'")
        before = fetch(database_url, EXPIRING_ROWS)

        deployment.environment["PYTHONPATH"] = str(FOLDER)
        worker = deployment.start(str(hours), module="tests.processes.skewed_worker")
        eventually(lambda: "clock.skewed" in worker.errors + worker.output or worker.process.poll() is not None)
        assert worker.process.poll() is None, worker.errors
        eventually(lambda: is_signed(database_url))
        portal.register()
        fetch(database_url, "UPDATE checkpoints SET signed_at = now() - interval '2 minutes'")
        eventually(lambda: is_signed(database_url))
        rounds = worker.output.count(ROUND_MARKER)
        eventually(lambda: worker.output.count(ROUND_MARKER) >= rounds + ROUNDS)
        assert worker.process.poll() is None, worker.errors

        assert fetch(database_url, EXPIRING_ROWS) == before
        assert portal.introspect(token)["active"]
        repeated = portal.call(201, "POST", "/v1/accounts", body, Idempotency_Key="one-and-the-same")
        assert repeated.json() == first.json()
        lines = (worker.errors + worker.output).splitlines()
        alarm = next(line for line in lines if "clock.skewed" in line)
        skew = re.search(r"skew_seconds[^-\d]+(-?\d+)", alarm)
        assert skew is not None
        assert abs(int(skew[1]) - hours * 3600) < 30


def is_signed(database_url: str) -> bool:
    """Return whether the newest checkpoint covers every event and has the database's time."""
    return fetch(database_url, SIGNED) == [(True,)]
