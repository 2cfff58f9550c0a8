"""Posts to receivers whom nobody here knows: only where that is allowed, and never for longer than some seconds.

The address that is checked is the address that is connected to: a name is looked up once, and no library of requests
looks it up again. Redirects are not followed, proxies of the environment are not used, certificates are verified.
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
from application.webhook_deliveries import Receipt
from application.webhook_receivers import DEFAULT_PORTS, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _typeshed import WriteableBuffer

    from application.webhook_receivers import Receivers, Target

SECONDS = 15.0
"""For all of it: looking the name up, connecting, encrypting, sending, and reading the answer's head."""

DRAIN_SECONDS = 1.0
MOST_BYTES = 64 * 1024
"""Of an answer, its head included. What is in its body is of no interest: it is read so that nobody is cut off."""

SECONDS_TO_WAIT = re.compile(r"[0-9]{1,9}")
USER_AGENT = "subusers-webhooks/1"

REFUSED_ADDRESS = "refused-address"
UNKNOWN_HOST = "unknown-host"
NO_CONNECTION = "no-connection"
BAD_CERTIFICATE = "bad-certificate"
NO_ENCRYPTION = "no-encryption"
TIMED_OUT = "timed-out"
BAD_ANSWER = "bad-answer"

SocketAddress = tuple[Any, ...]


class NotSent(Exception):
    """There is no answer; `word` says why."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class WebhookSender:
    """Posts. `context` says which certificates are trusted: those of the system, if it is not given."""

    def __init__(self, receivers: Receivers, context: ssl.SSLContext | None = None, seconds: float = SECONDS) -> None:
        self._receivers = receivers
        self._given_context = context
        self._seconds = seconds

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Post a body to a URL, and return what came of it."""
        deadline = time.monotonic() + self._seconds
        try:
            target = self._receivers.target(url)  # what the operator allows may have changed since it was taken
            with self._connected(target, deadline) as connection:
                return _exchanged(connection, target, headers, body, deadline)
        except NotSent as failure:
            return Receipt(error=failure.word)
        except InvalidValue:
            return Receipt(error=REFUSED_ADDRESS)
        except TimeoutError:
            return Receipt(error=TIMED_OUT)
        except http.client.HTTPException:
            return Receipt(error=BAD_ANSWER)
        except OSError:
            return Receipt(error=NO_CONNECTION)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """Which certificates are trusted: reading them takes a while, and most processes send nothing."""
        return self._given_context or ssl.create_default_context()

    def _connected(self, target: Target, deadline: float) -> socket.socket:
        """Return a connection to the first address of the host that can be reached, encrypted if it is to be."""
        connection = _connected_to_one_of(self._addresses(target, deadline), deadline)
        if target.scheme != "https":
            return connection
        try:
            connection.settimeout(_left(deadline))
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
        """Return the addresses of a host. One that must not be sent to condemns the others: it has its reason."""
        found = _looked_up(target, deadline)
        for _, address in found:
            if "%" in address[0]:
                raise NotSent(REFUSED_ADDRESS)
            if not self._receivers.allow(target.host, plain(ipaddress.ip_address(address[0]))):
                raise NotSent(REFUSED_ADDRESS)
        return found


class _Timed:
    """A connection whose every wait ends at one moment, and which takes in no more than so many bytes.

    A socket's own time limit begins anew with each byte: whoever sends one every few seconds could go on for ever.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self.deadline = deadline
        self.bytes_left = MOST_BYTES

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(_left(self.deadline))
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self))

    def receive(self, buffer: WriteableBuffer) -> int:
        self._connection.settimeout(_left(self.deadline))
        view = memoryview(buffer)[: self.bytes_left]
        received = self._connection.recv_into(view) if view else 0
        self.bytes_left -= received
        return received

    def close(self) -> None:
        """Leave it open: whoever opened it closes it."""


class _Incoming(io.RawIOBase):
    def __init__(self, timed: _Timed) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._timed.receive(buffer)


def _exchanged(
    connection: socket.socket, target: Target, headers: Mapping[str, str], body: bytes, deadline: float
) -> Receipt:
    timed = _Timed(connection, deadline)
    dialog = http.client.HTTPConnection(target.host, target.port)
    dialog.sock = timed  # as much of a socket as is used of one
    every = {"Host": _host(target), "User-Agent": USER_AGENT, "Connection": "close", **headers}
    dialog.request("POST", target.path, body, every)
    with dialog.getresponse() as answer:
        receipt = Receipt(status=answer.status, retry_after=_retry_after(answer.getheader("Retry-After")))
        _drain(answer, timed)
    return receipt


def _host(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == DEFAULT_PORTS[target.scheme] else f"{host}:{target.port}"


def _drain(answer: http.client.HTTPResponse, timed: _Timed) -> None:
    """Read some of the body, so that its sender is not cut off; what counts is known already."""
    timed.deadline = min(timed.deadline, time.monotonic() + DRAIN_SECONDS)
    try:
        while answer.read1(4096):
            pass
    except (OSError, http.client.HTTPException, ValueError):
        return


def _looked_up(target: Target, deadline: float) -> Sequence[tuple[socket.AddressFamily, SocketAddress]]:
    """Return the addresses of a host. The system's own look-up knows no deadline: it may end in vain, by itself."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            answers.put([])

    threading.Thread(target=look_up, name="webhook host", daemon=True).start()
    try:
        found = answers.get(timeout=_left(deadline))
    except queue.Empty:
        raise TimeoutError from None
    if not found:
        raise NotSent(UNKNOWN_HOST)
    return [(family, address) for family, _, _, _, address in found]


def _connected_to_one_of(
    addresses: Sequence[tuple[socket.AddressFamily, SocketAddress]], deadline: float
) -> socket.socket:
    failure: OSError = TimeoutError()
    for number, (family, address) in enumerate(addresses):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left(deadline) / (len(addresses) - number))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
    raise failure


def _left(deadline: float) -> float:
    """Return the seconds that are left. Raises TimeoutError where there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _retry_after(text: str | None) -> timedelta | None:
    """Return for how long a receiver asks to be left alone: seconds, or a moment."""
    if text is None:
        return None
    if SECONDS_TO_WAIT.fullmatch(text.strip()):
        return timedelta(seconds=int(text))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # no date, or a year that no clock here comes to
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)
