"""The API, the worker and the floor, as processes of their own on one database."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg

from benchmarks import floor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap.config import Settings


@dataclass(frozen=True)
class ApiServer:
    """URL of the API, and the ids of its server processes."""

    url: str
    workers: tuple[int, ...]


@contextmanager
def run_api(settings: Settings, **environment: str) -> Iterator[ApiServer]:
    """Run the API, with its default number of processes and threads."""
    port = _free_port()
    variables = {"SUBUSERS_DATA_DIR": str(settings.data_dir), "SUBUSERS_PORT": str(port), **environment}
    with (
        _running([sys.executable, "-m", "api.cli", "api"], variables) as pid,
        _up(f"http://127.0.0.1:{port}", "/readyz") as url,
    ):
        yield ApiServer(url, _children(pid))


@contextmanager
def run_worker(settings: Settings) -> Iterator[None]:
    """Run the followers."""
    with _running([sys.executable, "-m", "api.cli", "work"], {"SUBUSERS_DATA_DIR": str(settings.data_dir)}):
        yield


@contextmanager
def run_floor(settings: Settings) -> Iterator[str]:
    """Run the floor with as many processes and threads as the API, and yield its URL."""
    url, port = settings.owner_url, _free_port()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(floor.TABLES)
    sizes = [str(settings.cores), str(settings.threads)]
    command = [sys.executable, "-m", "benchmarks.floor", url, str(port), *sizes]
    with _running(command, {}), _up(f"http://127.0.0.1:{port}", "/") as address:
        yield address


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    folder = Path(__file__).parent.parent
    with subprocess.Popen(command, cwd=folder, env=os.environ | environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)


@contextmanager
def _up(url: str, path: str) -> Iterator[str]:
    """Wait until the server listens, for about a minute."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
        client.get(f"{url}{path}")
    yield url


def _children(pid: int) -> tuple[int, ...]:
    """Return the ids of the server processes of `subusers api`."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return tuple(child for child in children if Path(f"/proc/{child}/comm").read_text().startswith("subusers api"))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
