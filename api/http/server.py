"""The HTTP server: granian, with a process a core and a pool of threads in each."""

from __future__ import annotations

import atexit
import gc
import tempfile
from contextlib import ExitStack
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from api import config, logs
from api.bootstrap import build, opened
from api.http.doors import with_request_id
from api.processes import end_on_signals, end_with, keep_to_a_core, when_told_to_end

if TYPE_CHECKING:
    from flask import Flask

    from api.config import Settings

ALLOCATIONS_BETWEEN_COLLECTIONS = 10_000
"""Of the youngest generation: Python's 700 are a look for each request or two, and requests leave next to no cycles."""

SECONDS_TO_FINISH = 10
"""For requests that are under way when the server is asked to end."""


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    with tempfile.TemporaryDirectory(prefix="subusers-metrics-") as folder:
        config.share_in(Path(folder))
        Server(
            "api.http.server:application",
            factory=True,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.WSGI,
            workers=settings.processes,
            blocking_threads=settings.threads + settings.streams,
            websockets=False,
            log_level=LogLevels.error,
            respawn_failed_workers=True,
            workers_kill_timeout=SECONDS_TO_FINISH,
        ).serve()


def application() -> Flask:
    """Return the application for one server process, which owns it until it ends."""
    from api.http.app import create_app  # noqa: PLC0415  # its metrics look for `share_in` when imported

    logs.configure(with_request_id, gathered=True)
    end_on_signals()  # the server sets its own once this returns; those of its parent, copied, would do nothing
    server = parent_process()
    if server is not None and server.pid is not None:
        end_with(server.pid)
    held = ExitStack()
    atexit.register(held.close)
    settings = config.load()
    folder = config.shared_folder()
    if folder is not None and settings.processes == settings.cores:
        keep_to_a_core(folder)
    service = build(held.enter_context(opened(settings)))
    held.callback(service.close)
    when_told_to_end(service.event_tail.end)  # the server waits for those who wait for events
    app = create_app(service)
    _keep_out_of_collections()
    return app


def _keep_out_of_collections() -> None:
    """Have the garbage collector look at what requests leave alone: all that is there for good took it 60 ms a time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
