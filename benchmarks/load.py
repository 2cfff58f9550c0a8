"""HTTP load from wrk: a client in C on one thread, which takes little CPU time from the servers that it measures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCRIPT = Path(__file__).with_name("load.lua")
JSON_BODY = "Content-Type: application/json"


@dataclass(frozen=True)
class Load:
    """Result of a load. Times are in seconds."""

    requests: int
    rate: float
    median: float
    p95: float


@dataclass(frozen=True)
class Target:
    """Requests to a server, sent in order and repeatedly."""

    url: str
    requests: Path = field(repr=False)
    headers: tuple[str, ...] = field(default=(), repr=False)

    def run_load(self, connections: int, seconds: float) -> Load:
        """Send the requests over some connections for a while. Exits if a request fails."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout=30s", "--latency"]
        arguments = [f"-s{SCRIPT}", self.url, "--", str(self.requests), JSON_BODY, *self.headers]
        process = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        _, _, output = process.stdout.partition("RESULT ")
        if not output:
            sys.exit(f"wrk failed: {process.stderr or process.stdout}")
        result = json.loads(output)
        if not result["requests"]:
            sys.exit(f"{self.url} answered nothing within {seconds} s")
        if result["refused"] or result["lost"]:
            failures = f"{result['refused']} were refused, {result['lost']} lost"
            sys.exit(f"of {result['requests']} requests to {self.url}, {failures}")
        return Load(
            result["requests"],
            result["requests"] / result["microseconds"] * 1e6,
            result["median"] / 1e6,
            result["p95"] / 1e6,
        )


@contextmanager
def request_file(requests: Iterable[tuple[str, str, object]]) -> Iterator[Path]:
    """Write requests (method, path, and body or None) to a temporary file, and yield its path."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: install the Debian package `wrk`")
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as file:
        for method, path, body in requests:
            text = "" if body is None else json.dumps(body, separators=(",", ":"))
            file.write(f"{method}\t{path}\t{text}\n")
        file.flush()
        yield Path(file.name)
