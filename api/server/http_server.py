"""HTTP server of one process: accepts connections within limits, and runs the application in thread pools."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import structlog

from api.server.connection import Connection
from api.server.lanes import Lane
from api.server.refusals import OVERLOADED
from api.server.response_writer import date_line
from api.server.worker_pool import WorkerPool

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Network, IPv6Network
    from wsgiref.types import WSGIApplication

    from api.runtime.heartbeats import Heartbeat
    from api.server.lanes import LaneLimits
    from api.server.limits import Limits
    from api.server.refusals import Refusal

TICK_SECONDS = 0.25
"""Interval of the deadline checks."""

REPORT_SECONDS = 10.0
"""Interval of log lines about refusals: an attacker must not fill the log."""

MAX_ACCEPTS_PER_CALL = 16
YIELD_SECONDS = 0.002
"""Time for which a process leaves new connections to a process with fewer."""

ACCEPT_PAUSE_SECONDS = 0.5
"""Pause after a connection could not be accepted because of a limit or an error."""

STUCK_SECONDS = 120.0
"""A pool is stuck if all its threads run the same jobs for this long. The deadlines of a request's statements and waits
add up to less."""

log = structlog.get_logger(__name__)


class HttpServer:
    """HTTP server of a process. Call its methods in the event loop's thread, except `call_soon`.

    Clients in `exempt_networks` may exceed the limit of connections per client.
    """

    def __init__(  # noqa: PLR0913  # the server's dependencies
        self,
        app: WSGIApplication,
        listener: socket.socket,
        limits: Limits,
        lanes: Mapping[Lane, LaneLimits],
        heartbeat: Heartbeat,
        *,
        exempt_networks: tuple[IPv4Network | IPv6Network, ...] = (),
    ) -> None:
        self.app = app
        self.limits = limits
        self.date_line = date_line()
        self.is_stopping = False
        self.pools = {
            lane: WorkerPool(str(lane), lane_limits.threads, lane_limits.queue_limit, lane_limits.queue_seconds)
            for lane, lane_limits in lanes.items()
        }
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self._listener = listener
        self._heartbeat = heartbeat
        self._exempt_networks = exempt_networks
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._connections_by_client: defaultdict[str, set[Connection]] = defaultdict(set)
        self._body_bytes = 0
        self._refusals: Counter[str] = Counter()
        self._reported_at = 0.0
        self._is_accepting = False
        self._has_yielded = False
        self._accept_tasks: set[asyncio.Task[object]] = set()
        self._all_closed = asyncio.Event()

    def accept_connections(self) -> None:
        """Accept connections from now on."""
        self._resume_accepting()

    async def stop(self) -> None:
        """Accept no more connections, and let running requests finish within a deadline."""
        self.is_stopping = True
        self._pause_accepting()
        for connection in tuple(self._connections):
            connection.stop()
        if self._connections:
            try:
                await asyncio.wait_for(self._all_closed.wait(), self.limits.stop_seconds)
            except TimeoutError:
                log.warning("server.stopped_with_requests", connections=len(self._connections))
        for pool in self.pools.values():
            pool.end()

    # Called by connections.

    def register(self, connection: Connection) -> bool:
        """Add a connection, evicting another one if necessary; return False if the client's limit forbids it."""
        connection.client_group = group = _client_group(connection.client[0])
        client_connections = self._connections_by_client[group]
        if len(client_connections) >= self.limits.connections_per_client and not self._is_exempt(connection.client[0]):
            self._count("too-many-connections-of-client")
            if not _evict_oldest(client_connections):
                return False
        self._connections.add(connection)
        client_connections.add(connection)
        self._heartbeat.connections = len(self._connections)
        return True

    def unregister(self, connection: Connection) -> None:
        """Remove a connection."""
        self._connections.discard(connection)
        client_connections = self._connections_by_client[connection.client_group]
        client_connections.discard(connection)
        if not client_connections:
            del self._connections_by_client[connection.client_group]
        self._heartbeat.connections = len(self._connections)
        if self.is_stopping and not self._connections:
            self._all_closed.set()

    def add_buffered(self, connection: Connection, size: int) -> None:
        """Add to the bytes of unfinished bodies, and refuse the oldest requests beyond the limit."""
        self._body_bytes += size
        while self._body_bytes > self.limits.total_body_bytes:
            buffering = [other for other in self._connections if other.is_evictable and other.buffered_bytes]
            oldest = min(buffering, key=lambda other: other.waiting_since, default=connection)
            oldest.refuse(OVERLOADED)
            if oldest is connection:
                return

    def count_refusal(self, refusal: Refusal) -> None:
        """Count a refusal for the log."""
        self._count(refusal.code)

    def count_slow_reader(self) -> None:
        """Count an unread response for the log."""
        self._count("unread-response")

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the event loop, from any thread."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop has ended
            if not self.is_stopping:
                raise

    def call_at(self, moment: float, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the event loop at this `time.monotonic()`."""
        self._loop.call_later(moment - time.monotonic(), function, *arguments)

    # Accepting.

    def _resume_accepting(self) -> None:
        if not self._is_accepting and not self.is_stopping:
            self._is_accepting = True
            self._loop.add_reader(self._listener, self._accept)

    def _pause_accepting(self) -> None:
        if self._is_accepting:
            self._is_accepting = False
            self._loop.remove_reader(self._listener)

    def _pause_accepting_for(self, seconds: float) -> None:
        self._pause_accepting()
        self._loop.call_later(seconds, self._resume_accepting)

    def _accept(self) -> None:
        """Accept waiting connections; only one if another process has fewer than this one."""
        if not self._has_yielded and len(self._connections) > self._heartbeat.fewest_connections:
            self._has_yielded = True
            self._pause_accepting_for(YIELD_SECONDS)
            return
        self._has_yielded = False
        for _ in range(MAX_ACCEPTS_PER_CALL):
            if len(self._connections) + len(self._accept_tasks) >= self.limits.connections and not self._evict_any():
                self._count("too-many-connections")
                self._pause_accepting_for(ACCEPT_PAUSE_SECONDS)
                return
            try:
                accepted, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._count(errno.errorcode.get(error.errno or 0, "accept"))
                self._evict_any()
                self._pause_accepting_for(ACCEPT_PAUSE_SECONDS)
                return
            accepted.setblocking(False)  # noqa: FBT003  # its only parameter
            task = self._loop.create_task(self._loop.connect_accepted_socket(lambda: Connection(self), accepted))
            self._accept_tasks.add(task)
            task.add_done_callback(self._accept_tasks.discard)
            if len(self._connections) >= self._heartbeat.fewest_connections:
                return

    def _evict_any(self) -> bool:
        """Evict a connection of the client with the most connections; return whether there was one."""
        largest_first = sorted(self._connections_by_client.values(), key=len, reverse=True)
        if any(_evict_oldest(client_connections) for client_connections in largest_first):
            self._count("too-many-connections")
            return True
        return False

    def _is_exempt(self, address: str) -> bool:
        try:
            return any(ipaddress.ip_address(address) in network for network in self._exempt_networks)
        except ValueError:
            return False

    # Deadlines.

    def tick(self) -> None:
        """Check all deadlines and send heartbeats, now and repeatedly."""
        self._loop.call_later(TICK_SECONDS, self.tick)  # first, so that a failure below does not end the ticks
        now = time.monotonic()
        self._beat(now)
        self.date_line = date_line()
        for connection in tuple(self._connections):
            connection.check_deadline(now)
        for pool in self.pools.values():
            pool.expire_overdue(now)
        self._report(now)

    def _beat(self, now: float) -> None:
        """Send the heartbeats: the loop's by this call, the critical pool's by a job."""
        self._heartbeat.beat_loop()
        if not any(pool.is_stuck(now, STUCK_SECONDS) for pool in self.pools.values()):
            self.pools[Lane.CRITICAL].call_next(self._heartbeat.beat_pool)

    def _count(self, reason: str) -> None:
        self._refusals[reason] += 1

    def _report(self, now: float) -> None:
        if self._refusals and now - self._reported_at >= REPORT_SECONDS:
            self._reported_at = now
            log.warning("server.refused", connections=len(self._connections), reasons=dict(self._refusals))
            self._refusals.clear()


def _evict_oldest(connections: set[Connection]) -> bool:
    """Close the oldest connection without a complete request, those that never had one first."""
    evictable = [connection for connection in connections if connection.is_evictable]
    if not evictable:
        return False
    min(evictable, key=lambda connection: (connection.response_count > 0, connection.waiting_since)).abort()
    return True


def _client_group(address: str) -> str:
    """Return the client's address, or in IPv6 its /64 network, of which a single customer has all addresses."""
    if ":" not in address:
        return address
    parsed = ipaddress.IPv6Address(address.partition("%")[0])
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
