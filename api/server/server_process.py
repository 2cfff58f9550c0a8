"""The server processes: each runs the HTTP server on the listening socket that all of them share."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import resource
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
import uvloop

from api.bootstrap import config
from api.bootstrap.config import ConfigError
from api.runtime import logs
from api.runtime.processes import pin_to_core
from api.server.http_server import HttpServer
from api.server.lanes import lane_limits
from api.server.limits import Limits
from api.server.refusals import TYPE_PREFIX
from application.errors import ServiceError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from structlog.typing import Processor

    from api.bootstrap.config import Settings
    from api.runtime.heartbeats import Heartbeat

ALLOCATIONS_BETWEEN_COLLECTIONS = 10_000
"""Threshold of the youngest generation. Python's default of 700 is reached every request or two, and requests leave
hardly any cycles."""

BACKLOG = 1024
BIND_SECONDS = 3.0
"""Time to retry a port in use: processes of a killed service end within moments."""

BIND_PAUSE = 0.02
START_SECONDS = 3.0
"""Time for which connections wait for a starting process; then it answers 503."""

RETRY_SECONDS = 1.0
MIN_CONNECTIONS = 8
OTHER_DESCRIPTORS = 64
"""Descriptors of a process apart from client and database connections: metrics files, pipes, libraries."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Application:
    """An application for a server process. `stop` is called when the process is asked to end, `close` at its end."""

    wsgi: WSGIApplication
    stop: Callable[[], object] = lambda: None
    close: Callable[[], object] = lambda: None


def listen(host: str, port: int) -> socket.socket:
    """Return the listening socket. Raises `ConfigError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + BIND_SECONDS
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            if time.monotonic() > deadline or error.errno != errno.EADDRINUSE:
                msg = f"cannot listen on {host}:{port} (SUBUSERS_HOST, SUBUSERS_PORT): {error.strerror}"
                raise ConfigError(msg) from None
            time.sleep(BIND_PAUSE)
        else:
            listener.setblocking(False)  # noqa: FBT003  # its only parameter
            return listener


def raise_descriptor_limit() -> None:
    """Raise the soft limit of file descriptors to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(
    create: Callable[[], Application],
    settings: Settings,
    listener: socket.socket,
    heartbeat: Heartbeat,
    *log_processors: Processor,
) -> int:
    """Serve in this process until it is asked to end, and return its exit code."""
    logs.configure(*log_processors, cached=True)
    folder = config.shared_metrics_folder()
    if folder is not None and settings.may_pin_to_cores:
        pin_to_core(folder)
    try:
        uvloop.run(_serve(create, settings, listener, heartbeat))
    except ConfigError as error:
        log.error("server.failed", error=str(error))  # noqa: TRY400  # the message says it
        return 2  # as the command line does for wrong settings
    return 0


async def _serve(
    create: Callable[[], Application], settings: Settings, listener: socket.socket, heartbeat: Heartbeat
) -> None:
    loop = asyncio.get_running_loop()
    shutdown_requested = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, shutdown_requested.set)
    limits = Limits(_connection_limit(settings), settings.connections_per_client)
    server = HttpServer(
        _unavailable, listener, limits, lane_limits(settings), heartbeat, exempt_networks=settings.trusted_proxies
    )
    server.tick()
    starting = asyncio.create_task(_start(create, server))
    ending = asyncio.create_task(shutdown_requested.wait())
    await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await server.stop()
        return
    application = starting.result()
    await ending
    application.stop()
    await server.stop()
    application.close()


async def _start(create: Callable[[], Application], server: HttpServer) -> Application:
    """Build the application and accept connections; answer 503 if building takes long."""
    accept_timer = asyncio.get_running_loop().call_later(START_SECONDS, server.accept_connections)
    while True:
        try:
            application = await asyncio.to_thread(create)
        except ServiceError as error:
            log.warning("server.waits_for_database", code=error.code)
            server.accept_connections()
            await asyncio.sleep(RETRY_SECONDS)
            continue
        accept_timer.cancel()
        server.app = application.wsgi
        _freeze_permanent_objects()
        server.accept_connections()
        return application


def _unavailable(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer 503 until the database has been reached for the first time."""
    if environ["PATH_INFO"] == "/healthz":
        return _json(start_response, "200 OK", "application/json", {"status": "ok"})
    problem = {
        "type": f"{TYPE_PREFIX}{StoreUnavailable.code}",
        "title": "Service Unavailable",
        "status": 503,
        "detail": str(StoreUnavailable()),
    }
    return _json(start_response, "503 Service Unavailable", "application/problem+json", problem, ("Retry-After", "1"))


def _json(
    start_response: StartResponse, status: str, content_type: str, value: Any, *headers: tuple[str, str]
) -> Iterable[bytes]:
    body = json.dumps(value).encode()
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers])
    return [body]


def _connection_limit(settings: Settings) -> int:
    """Return the maximum number of client connections: the setting, unless there are too few file descriptors."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    remaining = descriptors - settings.database_connections - OTHER_DESCRIPTORS
    if remaining < settings.connections:
        log.warning("server.few_descriptors", descriptors=descriptors, connections=max(MIN_CONNECTIONS, remaining))
    return max(MIN_CONNECTIONS, min(settings.connections, remaining))


def _freeze_permanent_objects() -> None:
    """Exclude permanent objects from garbage collection: traversing them took 60 ms each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
