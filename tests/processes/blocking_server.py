"""Program that supervises server processes of a blocking WSGI application: `blocking_server PORT`."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from api.runtime.heartbeats import Heartbeats
from api.runtime.processes import SignalPipe
from api.runtime.supervisor import Child, Supervisor
from api.server.server_process import Application, listen, serve
from benchmarks.floor import floor_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

WATCHDOG_SECONDS = 1.5
PROCESSES = 2
BUSY_SECONDS = 10


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Return 200; `/readyz` blocks forever, and `/busy` computes for `BUSY_SECONDS` first."""
    match environ["PATH_INFO"]:
        case "/readyz":
            threading.Event().wait()
        case "/busy":
            deadline = time.monotonic() + BUSY_SECONDS
            while time.monotonic() < deadline:
                pass
    start_response("200 OK", [("Content-Length", "0")])
    return []


def main() -> None:
    """Run until a shutdown signal arrives."""
    signals = SignalPipe()
    with tempfile.TemporaryDirectory() as folder:
        port = int(sys.argv[1])
        settings = floor_settings("", port, PROCESSES, 4, Path(folder))
        heartbeats = Heartbeats(PROCESSES)
        with listen("127.0.0.1", port) as listener:
            create_application = partial(Application, application)
            children = [
                Child(
                    f"api {number}",
                    partial(serve, create_application, settings, listener, heartbeats.heartbeat_of(number)),
                    heartbeats.heartbeat_of(number),
                )
                for number in range(PROCESSES)
            ]
            Supervisor(children, signals, WATCHDOG_SECONDS).run()


if __name__ == "__main__":
    main()
