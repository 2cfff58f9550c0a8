"""`subusers serve` without configuration: embedded PostgreSQL and a demo account in one folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.processes.deployment import Deployment, Program, deployed, is_running, kill
from tests.processes.portal import Company, Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORTAL_KEY = re.compile(r"subusers_portal_\S+")


@pytest.fixture
def deployment(open_folder: Path) -> Iterator[Deployment]:
    """Return a deployment without a configured database."""
    with deployed(open_folder, server_processes=1) as deployment:
        yield deployment


def test_data_survives_restarts_and_kills(deployment: Deployment) -> None:
    """API keys are printed only at the first start; a killed database is started again."""
    (first,) = deployment.serve()
    assert "owner@example.com" in first.output
    assert "invented" in first.output
    key = printed_key(first)
    company = register_with_sub_user(deployment, key)
    assert (deployment.folder / "master.key").stat().st_mode & 0o777 == 0o600

    killed = deployment.embedded_database_pid
    kill(killed)
    eventually(lambda: deployment.embedded_database_pid not in {0, killed})
    eventually(lambda: deployment.is_ready([first]))
    assert sub_user_names(deployment, key, company) == ["Ada"]

    pids = [*first.pids, deployment.embedded_database_pid]
    assert first.end() == 0
    eventually(lambda: not any(map(is_running, pids)))

    (second,) = deployment.serve()
    assert not PORTAL_KEY.search(second.output)
    assert sub_user_names(deployment, key, company) == ["Ada"]

    children = [*second.children("api"), *second.children("work")]
    assert len(children) == 2
    kill(second.process.pid)
    assert second.wait() < 0
    eventually(lambda: not any(map(is_running, children)))

    deployment.serve()
    assert sub_user_names(deployment, key, company) == ["Ada"]


def printed_key(program: Program) -> str:
    """Return the demo's portal API key from the program's output."""
    match = PORTAL_KEY.search(program.output)
    assert match is not None, program.output
    return match[0]


def register_with_sub_user(deployment: Deployment, key: str) -> Company:
    """Register a company with one sub-user, Ada."""
    with Portal(deployment.url, key) as portal:
        company = portal.register()
        company.add(name="Ada")
        return company


def sub_user_names(deployment: Deployment, key: str, company: Company) -> list[str]:
    """Return the names in the company's list of sub-users."""
    with Portal(deployment.url, key) as portal:
        return [sub_user["name"] for sub_user in Company(portal, company.path, company.email).sub_users()]
