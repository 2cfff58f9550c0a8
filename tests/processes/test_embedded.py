"""`subusers serve` with nothing configured: a database of its own, and a demo account, in one folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.processes.deployment import Deployment, Program, command_of, deployed, descendants, is_running, kill
from tests.processes.portal import Company, Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORTAL_KEY = re.compile(r"subusers_portal_\S+")


@pytest.fixture
def deployment(open_folder: Path) -> Iterator[Deployment]:
    """Give a deployment with no database configured."""
    with deployed(open_folder, processes=1) as deployment:
        yield deployment


def test_one_folder_from_start_to_start(deployment: Deployment) -> None:
    """Keys are shown at the first start alone; a database that dies comes back; data outlast an end and a kill."""
    (first,) = deployment.serve()
    assert "owner@example.com" in first.output
    assert "made up" in first.output
    key = shown_key(first)
    company = with_a_sub_user(deployment, key)
    assert (deployment.folder / "master.key").stat().st_mode & 0o777 == 0o600

    killed = deployment.embedded_database_pid
    kill(killed)
    eventually(lambda: deployment.embedded_database_pid not in {0, killed})
    eventually(lambda: deployment.is_ready([first]))
    assert names_in(deployment, key, company) == ["Ada"]

    everything = [*first.pids, deployment.embedded_database_pid]
    assert first.end() == 0
    eventually(lambda: not any(map(is_running, everything)))

    (second,) = deployment.serve()
    assert not PORTAL_KEY.search(second.output)
    assert names_in(deployment, key, company) == ["Ada"]

    children = [pid for pid in descendants(second.process.pid) if "api.cli" in command_of(pid)]
    assert len(children) == 3  # the doors, their one server process, and the work
    kill(second.process.pid)
    assert second.wait() < 0
    eventually(lambda: not any(map(is_running, children)))

    deployment.serve()
    assert names_in(deployment, key, company) == ["Ada"]


def shown_key(program: Program) -> str:
    """Return the demo's key for portals, as the program printed it."""
    found = PORTAL_KEY.search(program.output)
    assert found is not None, program.output
    return found[0]


def with_a_sub_user(deployment: Deployment, key: str) -> Company:
    """Return a company with one sub-user, Ada."""
    with Portal(deployment.url, key) as portal:
        company = portal.register()
        company.add(name="Ada")
        return company


def names_in(deployment: Deployment, key: str, company: Company) -> list[str]:
    """Return the names of the company's sub-users, as the service lists them now."""
    with Portal(deployment.url, key) as portal:
        return [one["name"] for one in Company(portal, company.path, company.email).sub_users()]
