"""The life of the service's processes: they end when asked, are started again when they die, and outlive nobody."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from tests.processes.deployment import command_of, descendants, is_running, kill
from tests.processes.portal import Portal
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.deployment import Deployment, Program
    from tests.processes.portal import Company


def running(program: Program, command: str) -> list[int]:
    """Return the processes that run a command for a supervisor."""
    return [pid for pid in descendants(program.process.pid) if f"api.cli {command} " in command_of(pid)]


def test_whatever_dies_is_started_again(deploy: Callable[..., Deployment]) -> None:
    """Each part of `serve` that is killed comes back, and requests are answered and views go on."""
    deployment = deploy(processes="1")
    (program,) = deployment.serve()
    with Portal(deployment.url, deployment.api_key()) as portal:
        company = portal.register()
        for command, victim in (("work", 0), ("api", 1), ("api", 0)):
            before = running(program, command)
            kill(before[victim])
            eventually(lambda gone=before[victim:]: not any(map(is_running, gone)))  # type: ignore[misc]  # a default keeps the loop's value
            eventually(lambda: is_listed(company))
            company.add()
        assert len(company.sub_users()) == 3


def is_listed(company: Company) -> bool:
    """Say whether the service lists the company's sub-users."""
    with suppress(httpx.TransportError):
        return company.portal.get(f"{company.path}/sub-users").status_code == 200
    return False


def test_no_child_outlives_a_parent_killed_at_once(deploy: Callable[..., Deployment]) -> None:
    """A supervisor that dies while its children still start takes them with it."""
    program = deploy().start("serve")
    children = eventually(
        lambda: running(program, "api") and running(program, "work") and descendants(program.process.pid)
    )
    kill(program.process.pid)
    assert program.wait() < 0
    eventually(lambda: not any(map(is_running, children)))


def test_apart_they_end_when_asked(deploy: Callable[..., Deployment]) -> None:
    """The doors and the work, each run by itself, end in order and exit 0."""
    programs = deploy().serve("api", "work")
    children = [pid for program in programs for pid in descendants(program.process.pid)]
    assert [program.end() for program in programs] == [0, 0]
    eventually(lambda: not any(map(is_running, children)))
