"""Load over HTTP, from wrk: a client in C on one thread, so that it takes little from what it measures."""

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
    """What a load came to; times in seconds."""

    requests: int
    rate: float
    median: float
    p95: float


@dataclass(frozen=True)
class Target:
    """Requests to a server, which are sent one after the other, and from the beginning again."""

    url: str
    requests: Path = field(repr=False)
    headers: tuple[str, ...] = field(default=(), repr=False)

    def under(self, connections: int, seconds: float) -> Load:
        """Send them over so many connections for a while; exit where any is refused: that would be no measure."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout=30s", "--latency"]
        arguments = [f"-s{SCRIPT}", self.url, "--", str(self.requests), JSON_BODY, *self.headers]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        _, _, result = done.stdout.partition("RESULT ")
        if not result:
            sys.exit(f"wrk failed: {done.stderr or done.stdout}")
        told = json.loads(result)
        if told["refused"] or told["lost"]:
            sys.exit(
                f"{told['refused']} requests to {self.url} were refused, {told['lost']} lost, of {told['requests']}"
            )
        return Load(
            told["requests"],
            told["requests"] / told["microseconds"] * 1e6,
            told["median"] / 1e6,
            told["p95"] / 1e6,
        )


@contextmanager
def written(requests: Iterable[tuple[str, str, object]]) -> Iterator[Path]:
    """Lend a file of requests: method, path, and a body or None."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed: a load generator that Debian has as a package of that name")
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as file:
        for method, path, body in requests:
            told = "" if body is None else json.dumps(body, separators=(",", ":"))
            file.write(f"{method}\t{path}\t{told}\n")
        file.flush()
        yield Path(file.name)
