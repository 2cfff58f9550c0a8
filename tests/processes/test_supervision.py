"""Supervision of the service's processes: restart after a crash, orderly shutdown, and no orphans."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from tests.processes.deployment import descendants, is_running, kill
from tests.processes.portal import Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.deployment import Deployment
    from tests.processes.portal import Company


def test_killed_child_processes_are_restarted(deploy: Callable[..., Deployment]) -> None:
    """After the restart of each part of `serve` requests succeed and views are updated."""
    deployment = deploy(server_processes="1")
    (program,) = deployment.serve()
    with Portal(deployment.url, deployment.api_key()) as portal:
        company = portal.register()
        for name in ("work", "api"):
            (killed,) = program.children(name)
            kill(killed)
            eventually(lambda name=name, killed=killed: program.children(name) not in ([], [killed]))  # type: ignore[misc]  # defaults keep the loop's values
            eventually(lambda: is_listed(company))
            company.add()
        assert len(company.sub_users()) == 2


def is_listed(company: Company) -> bool:
    with suppress(httpx.TransportError):
        return company.portal.get(f"{company.path}/sub-users").status_code == 200
    return False


def test_children_exit_when_the_supervisor_is_killed_at_startup(deploy: Callable[..., Deployment]) -> None:
    program = deploy().start("serve")
    children = eventually(
        lambda: program.children("api") and program.children("work") and descendants(program.process.pid)
    )
    kill(program.process.pid)
    assert program.wait() < 0
    eventually(lambda: not any(map(is_running, children)))


def test_separate_api_and_worker_shut_down_cleanly(deploy: Callable[..., Deployment]) -> None:
    """`subusers api` and `subusers work` exit 0 on SIGTERM, and leave no process running."""
    programs = deploy().serve("api", "work")
    children = [pid for program in programs for pid in descendants(program.process.pid)]
    assert [program.end() for program in programs] == [0, 0]
    eventually(lambda: not any(map(is_running, children)))
