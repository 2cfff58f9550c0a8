"""HTTP client for webhooks, whose receivers are untrusted.

The client resolves a host name once, checks every address against the URL policy, and connects to an address that it
has checked: no HTTP library resolves the name again (DNS rebinding). It does not follow redirects, ignores proxy
settings of the environment, verifies certificates, and limits the time and size of each exchange.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from application.errors import InvalidValue
from application.webhook_url_policy import DEFAULT_PORTS, ipv4_unmapped
from application.workers.webhook_deliveries import DeliveryResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _typeshed import WriteableBuffer

    from application.webhook_url_policy import Target, WebhookUrlPolicy

TIMEOUT_SECONDS = 15.0
"""Time limit for DNS, connection, TLS handshake, request and response header together."""

DRAIN_SECONDS = 1.0
"""Time limit for reading the body."""

MAX_RESPONSE_BYTES = 64 * 1024
"""Limit for a response, header included. The body is read only so that the receiver's connection is not reset."""

SECONDS_PATTERN = re.compile(r"[0-9]{1,9}")
USER_AGENT = "subusers-webhooks/1"

REFUSED_ADDRESS = "refused-address"
UNKNOWN_HOST = "unknown-host"
NO_CONNECTION = "no-connection"
BAD_CERTIFICATE = "bad-certificate"
NO_ENCRYPTION = "no-encryption"
TIMED_OUT = "timed-out"
BAD_RESPONSE = "bad-answer"

SocketAddress = tuple[Any, ...]


class NotSent(Exception):
    """The request was not sent. `error` is the reason, as in the delivery log."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class WebhookSender:
    """Sends webhook requests. `context` defines the trusted certificates; the default is the system's."""

    def __init__(
        self,
        url_policy: WebhookUrlPolicy,
        context: ssl.SSLContext | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._url_policy = url_policy
        self._custom_context = context
        self._timeout_seconds = timeout_seconds

    def send(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float | None = None
    ) -> DeliveryResult:
        """Send a POST request, and return its result. Failures are results too, not exceptions."""
        deadline = time.monotonic() + (self._timeout_seconds if timeout_seconds is None else timeout_seconds)
        try:
            target = self._url_policy.parse_allowed(url)  # the policy may have changed since the webhook was created
            with self._connect(target, deadline) as connection:
                return _exchange(connection, target, headers, body, deadline)
        except NotSent as failure:
            return DeliveryResult(error=failure.error)
        except InvalidValue:
            return DeliveryResult(error=REFUSED_ADDRESS)
        except TimeoutError:
            return DeliveryResult(error=TIMED_OUT)
        except http.client.HTTPException:
            return DeliveryResult(error=BAD_RESPONSE)
        except OSError:
            return DeliveryResult(error=NO_CONNECTION)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """TLS context, loaded lazily: reading certificates is slow, and most processes send no webhooks."""
        return self._custom_context or ssl.create_default_context()

    def _connect(self, target: Target, deadline: float) -> socket.socket:
        """Connect to the first reachable address of the host, with TLS for https."""
        connection = _connect_to_any(self._addresses(target, deadline), deadline)
        if target.scheme != "https":
            return connection
        try:
            connection.settimeout(_seconds_left(deadline))
            return self._context.wrap_socket(connection, server_hostname=target.host)
        except ssl.SSLCertVerificationError:
            connection.close()
            raise NotSent(BAD_CERTIFICATE) from None
        except ssl.SSLError:
            connection.close()
            raise NotSent(NO_ENCRYPTION) from None
        except OSError:
            connection.close()
            raise

    def _addresses(self, target: Target, deadline: float) -> Sequence[tuple[socket.AddressFamily, SocketAddress]]:
        """Return the addresses of a host. One disallowed address disallows the host."""
        addresses = _resolve(target, deadline)
        for _, address in addresses:
            has_zone_id = "%" in address[0]  # of a link-local address
            if has_zone_id or not self._url_policy.allows(target.host, ipv4_unmapped(ipaddress.ip_address(address[0]))):
                raise NotSent(REFUSED_ADDRESS)
        return addresses


class _BoundedSocket:
    """Socket with a deadline for all of its operations, and a limit of received bytes.

    A socket's own timeout restarts with each byte received: a receiver that sends a byte every few seconds could keep
    the connection open forever.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self.deadline = deadline
        self.bytes_left = MAX_RESPONSE_BYTES

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(_seconds_left(self.deadline))
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_ResponseStream(self))

    def receive(self, buffer: WriteableBuffer) -> int:
        self._connection.settimeout(_seconds_left(self.deadline))
        view = memoryview(buffer)[: self.bytes_left]
        received = self._connection.recv_into(view) if view else 0
        self.bytes_left -= received
        return received

    def close(self) -> None:
        """Do nothing: the caller that opened the socket closes it."""


class _ResponseStream(io.RawIOBase):
    def __init__(self, bounded_socket: _BoundedSocket) -> None:
        self._bounded_socket = bounded_socket

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._bounded_socket.receive(buffer)


def _exchange(
    connection: socket.socket, target: Target, headers: Mapping[str, str], body: bytes, deadline: float
) -> DeliveryResult:
    bounded_socket = _BoundedSocket(connection, deadline)
    http_connection = http.client.HTTPConnection(target.host, target.port)
    http_connection.sock = bounded_socket  # implements the methods that HTTPConnection calls
    all_headers = {"Host": _host_header(target), "User-Agent": USER_AGENT, "Connection": "close", **headers}
    http_connection.request("POST", target.path, body, all_headers)
    with http_connection.getresponse() as response:
        result = DeliveryResult(status=response.status, retry_after=_retry_after(response.getheader("Retry-After")))
        _drain(response, bounded_socket)
    return result


def _host_header(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == DEFAULT_PORTS[target.scheme] else f"{host}:{target.port}"


def _drain(response: http.client.HTTPResponse, bounded_socket: _BoundedSocket) -> None:
    """Read some of the body, so that the receiver's connection is not reset. Errors no longer matter."""
    bounded_socket.deadline = min(bounded_socket.deadline, time.monotonic() + DRAIN_SECONDS)
    try:
        while response.read1(4096):
            pass
    except (OSError, http.client.HTTPException, ValueError):
        return


def _resolve(target: Target, deadline: float) -> Sequence[tuple[socket.AddressFamily, SocketAddress]]:
    """Return the addresses of a host.

    The system's resolver has no deadline, so it runs in a thread that may outlast this call.
    """
    results: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            results.put(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            results.put([])

    threading.Thread(target=resolve, name="webhook host", daemon=True).start()
    try:
        addresses = results.get(timeout=_seconds_left(deadline))
    except queue.Empty:
        raise TimeoutError from None
    if not addresses:
        raise NotSent(UNKNOWN_HOST)
    return [(family, address) for family, _, _, _, address in addresses]


def _connect_to_any(addresses: Sequence[tuple[socket.AddressFamily, SocketAddress]], deadline: float) -> socket.socket:
    failure: OSError = TimeoutError()
    for number, (family, address) in enumerate(addresses):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(_seconds_left(deadline) / (len(addresses) - number))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
    raise failure


def _seconds_left(deadline: float) -> float:
    """Return the seconds left until a deadline. Raises TimeoutError if there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _retry_after(text: str | None) -> timedelta | None:
    """Return the delay that a `Retry-After` header requests, in seconds or as a date; None if it is invalid."""
    if text is None:
        return None
    if SECONDS_PATTERN.fullmatch(text.strip()):
        return timedelta(seconds=int(text))
    try:
        retry_at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # not a date, or a year out of range
        return None
    return retry_at.replace(tzinfo=retry_at.tzinfo or UTC) - datetime.now(UTC)
