"""The service's doors and the floor beside them, as processes of their own, on one database."""

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

from benchmarks import floor as floor_module

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.config import Settings


@dataclass(frozen=True)
class Doors:
    """Where the doors are, and their server processes."""

    url: str
    workers: tuple[int, ...]


@contextmanager
def doors(settings: Settings, **environment: str) -> Iterator[Doors]:
    """Run the doors, with the processes and threads that they choose themselves."""
    port = _free_port()
    told = {"SUBUSERS_DATA_DIR": str(settings.data_dir), "SUBUSERS_PORT": str(port), **environment}
    with (
        _running([sys.executable, "-m", "api.cli", "api"], told) as pid,
        _up(f"http://127.0.0.1:{port}", "/readyz") as url,
    ):
        yield Doors(url, _children(pid))


@contextmanager
def work(settings: Settings) -> Iterator[None]:
    """Run the followers."""
    with _running([sys.executable, "-m", "api.cli", "work"], {"SUBUSERS_DATA_DIR": str(settings.data_dir)}):
        yield


@contextmanager
def floor(settings: Settings) -> Iterator[str]:
    """Run the floor with as many processes and threads, and yield where it is."""
    url, port = settings.owner_url, _free_port()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(floor_module.TABLES)
    shape = [str(settings.cores), str(settings.threads)]
    command = [sys.executable, "-m", "benchmarks.floor", url, str(port), *shape]
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
    """Wait until somebody listens, for a minute or so."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
        client.get(f"{url}{path}")
    yield url


def _children(pid: int) -> tuple[int, ...]:
    """Return the server processes of an `api`: children that are copies of it."""
    children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return tuple(one for one in children if b"api.cli" in Path(f"/proc/{one}/cmdline").read_bytes())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
