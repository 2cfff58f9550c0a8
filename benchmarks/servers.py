"""A temporary database, and the API, the worker and the floor, each in processes of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg

from api.bootstrap import config, embedded_database, maintenance
from benchmarks import floor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap.config import Settings


@dataclass(frozen=True)
class ApiServer:
    """URL of the API, and the ids of its server processes."""

    url: str
    process_ids: tuple[int, ...]


@contextmanager
def temporary_database() -> Iterator[Settings]:
    """Run a database in a temporary folder, and yield the settings for it."""
    folder = Path(tempfile.mkdtemp(prefix="subusers-benchmark-"))
    folder.chmod(0o711)  # if we are root, the database runs as another user
    settings = replace(
        config.load(), database_url=None, embedded=True, data_dir=folder, master_keys=(), server_processes=1
    )
    try:
        with embedded_database.database_running(settings, may_create=True) as ready:
            maintenance.run_migrations(ready)
            yield ready
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def run_api(settings: Settings, **environment: str) -> Iterator[ApiServer]:
    """Run the API, with its default number of processes and threads."""
    port = _free_port()
    variables = {"SUBUSERS_DATA_DIR": str(settings.data_dir), "SUBUSERS_PORT": str(port), **environment}
    with (
        _run_process([sys.executable, "-m", "api.cli", "api"], variables) as pid,
        _when_listening(f"http://127.0.0.1:{port}", "/readyz") as url,
    ):
        yield ApiServer(url, _server_processes(pid))


@contextmanager
def run_worker(settings: Settings) -> Iterator[None]:
    """Run `subusers work`."""
    with _run_process([sys.executable, "-m", "api.cli", "work"], {"SUBUSERS_DATA_DIR": str(settings.data_dir)}):
        yield


@contextmanager
def run_floor(settings: Settings) -> Iterator[str]:
    """Run the floor with as many processes and threads as the API, and yield its URL."""
    url, port = settings.owner_url, _free_port()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(floor.TABLES)
    sizes = [str(settings.cores), str(settings.threads)]
    command = [sys.executable, "-m", "benchmarks.floor", url, str(port), *sizes]
    with _run_process(command, {}), _when_listening(f"http://127.0.0.1:{port}", "/") as address:
        yield address


@contextmanager
def _run_process(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    folder = Path(__file__).parent.parent
    with subprocess.Popen(command, cwd=folder, env=os.environ | environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)


@contextmanager
def _when_listening(url: str, path: str) -> Iterator[str]:
    """Yield the URL when the server answers. Tries for about a minute."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
        client.get(f"{url}{path}")
    yield url


def _server_processes(pid: int) -> tuple[int, ...]:
    """Return the ids of the server processes of `subusers api`."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return tuple(child for child in children if Path(f"/proc/{child}/comm").read_text().startswith("subusers api"))


def resident_megabytes(process_id: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{process_id}/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
