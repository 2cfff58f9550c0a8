"""Server processes that hang, die or get signals at any moment are replaced or shut down properly."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.processes.deployment import descendants, free_port, is_running, kill
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.processes.deployment import Deployment

FOLDER = Path(__file__).parents[2]
STORMS = [3, pytest.param(20, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
KILLS, MANY_KILLS = 2, 20


def status_of(port: int, path: str = "/healthz") -> int:
    """Return the status of a GET request, 0 if there is no response."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def server_pids(supervisor: subprocess.Popen[bytes]) -> list[int]:
    """Return the pids of the two server processes, once they run."""
    eventually(lambda: len(descendants(supervisor.pid)) == 2)
    return descendants(supervisor.pid)


@contextmanager
def pending_requests(port: int, path: str, count: int) -> Iterator[None]:
    """Send requests in the background without waiting for their responses."""
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        yield


@pytest.fixture
def blocking_server() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a supervisor of two processes with a short watchdog timeout; yield it and its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.processes.blocking_server", str(port)]
    with subprocess.Popen(command, cwd=FOLDER) as process:
        try:
            eventually(lambda: status_of(port) == 200)
            yield process, port
        finally:
            kill(process.pid, *descendants(process.pid))  # SIGKILL: hanging threads would use up the grace period


def test_hanging_and_stopped_processes_are_replaced(blocking_server: tuple[subprocess.Popen[bytes], int]) -> None:
    """A stopped process is replaced and the other one kept; a process is replaced when all its threads block."""
    supervisor, port = blocking_server
    first = server_pids(supervisor)
    os.kill(first[0], signal.SIGSTOP)
    eventually(lambda: not is_running(first[0]))
    second = server_pids(supervisor)
    assert first[1] in second
    with pending_requests(port, "/readyz", 24):  # more than there are threads
        eventually(lambda: not all(map(is_running, second)))
    eventually(lambda: status_of(port) == 200)


def test_busy_process_is_not_replaced(blocking_server: tuple[subprocess.Popen[bytes], int]) -> None:
    """A process that computes in every thread of a lane still serves requests and sends heartbeats."""
    supervisor, port = blocking_server
    before = server_pids(supervisor)
    with pending_requests(port, "/busy", 8):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            assert status_of(port) == 200
    assert descendants(supervisor.pid) == before


def test_service_survives_repeated_deaths_of_all_processes(
    blocking_server: tuple[subprocess.Popen[bytes], int],
) -> None:
    """The supervisor restarts them, with growing pauses."""
    supervisor, port = blocking_server
    for _ in range(4):
        victims = server_pids(supervisor)
        kill(*victims)
        eventually(lambda victims=victims: not any(map(is_running, victims)))  # type: ignore[misc]  # a default keeps the loop's value
    eventually(lambda: status_of(port) == 200)
    assert supervisor.poll() is None


@pytest.mark.parametrize("times", STORMS)
def test_signals_to_all_processes_end_the_service(deploy: Callable[..., Deployment], times: int) -> None:
    """Every process gets SIGTERM, as from systemd, twice in quick succession; sometimes while processes still start."""
    deployment = deploy()
    rng = random.Random(times)
    for number in range(times):
        program = deployment.start("serve")
        if number % 3 == 2:
            eventually(lambda program=program: descendants(program.process.pid))  # type: ignore[misc]  # a default keeps the loop's value
            time.sleep(rng.random() / 2)
        else:
            eventually(lambda program=program: deployment.is_ready([program]))  # type: ignore[misc]  # a default keeps the loop's value
        pids = program.pids
        for _ in range(2):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            time.sleep(0.0001)
        assert program.process.wait(15) in {0, -signal.SIGTERM}
        eventually(lambda pids=pids: not any(map(is_running, pids)))  # type: ignore[misc]  # a default keeps the loop's value


def test_killed_service_restarts_immediately(deploy: Callable[..., Deployment]) -> None:
    """A start right after `kill -9` can bind the port."""
    restart_under_load(deploy(), KILLS)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_service_killed_many_times_restarts_within_two_seconds(deploy: Callable[..., Deployment]) -> None:
    """Twenty kills under load."""
    longest_outage = restart_under_load(deploy(), MANY_KILLS)
    print(f"longest time without service: {longest_outage:.2f} s")
    assert longest_outage <= 2.0


def restart_under_load(deployment: Deployment, times: int) -> float:
    """Kill the supervisor and start another `times` times, under load; return the longest outage in seconds."""
    (program,) = deployment.serve()
    longest_outage = 0.0
    key = deployment.api_key()
    command = [sys.executable, "-m", "tests.processes.attacks", "reads", str(deployment.port), "8", "600"]
    with subprocess.Popen([*command, "/v1/sub-users", key], cwd=FOLDER, stdout=subprocess.DEVNULL) as load:
        try:
            for _ in range(times):
                children = descendants(program.process.pid)
                kill(program.process.pid)
                began = time.monotonic()
                program.process.wait()
                program = deployment.start("serve")
                eventually(lambda: status_of(deployment.port, "/readyz") == 200)
                longest_outage = max(longest_outage, time.monotonic() - began)
                assert not any(map(is_running, children))
                assert "cannot listen" not in program.errors
        finally:
            load.kill()
    return longest_outage
