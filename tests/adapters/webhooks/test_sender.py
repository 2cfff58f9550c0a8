"""Webhook requests: SSRF protection, success criteria, time-outs and size limits, TLS."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from adapters.webhooks.sender import WebhookSender
from application.webhook_url_policy import WebhookUrlPolicy
from application.workers.webhook_deliveries import DeliveryResult
from tests.mail_server import write_certificate
from tests.receiver import raw, receiving, status
from tests.webhooks import THIS_MACHINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.receiver import Receiver, Response

PUBLIC = "93.184.216.34"
SHORT_TIMEOUT, LONG_TIMEOUT = 1.0, 30.0
"""Seconds: for receivers that never finish, and for all others, as a busy machine may be slow."""

TIMEOUT_TOLERANCE = 10.0
"""Seconds by which a busy machine may exceed a timeout. Without a timeout the test would never end."""

BODY = b'{"data":{}}'


def send(
    url: str,
    receivers: WebhookUrlPolicy = THIS_MACHINE,
    context: ssl.SSLContext | None = None,
    seconds: float = LONG_TIMEOUT,
) -> DeliveryResult:
    return WebhookSender(receivers, context, seconds).send(url, {"webhook-id": "1"}, BODY)


def fake_resolver(monkeypatch: pytest.MonkeyPatch, *results: list[str]) -> list[str]:
    """Resolve each look-up to the next of `results` and repeat the last; return the list of names looked up."""
    looked_up: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        looked_up.append(host)
        addresses = results[min(len(looked_up), len(results)) - 1]
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [
            (family, socket.SOCK_STREAM, 6, "", (address, port))
            for family, address in zip(families, addresses, strict=True)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return looked_up


class Connections:
    """Records the address of every connection and redirects it to one target."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, target: tuple[str, int]) -> None:
        self.made: list[Any] = []
        connect = socket.socket.connect

        def connect_to_target(sock: socket.socket, address: Any) -> None:
            self.made.append(address)
            connect(sock, target)

        monkeypatch.setattr(socket.socket, "connect", connect_to_target)


def address_of(receiver: Receiver) -> tuple[str, int]:
    return "127.0.0.1", urlsplit(receiver.url).port or 0


def test_request_path_headers_and_body(receiver: Receiver) -> None:
    assert send(f"{receiver.url}?key=1%202") == DeliveryResult(status=204)

    (request,) = receiver.received
    host = urlsplit(receiver.url).netloc
    assert (request.path, request.body) == ("/hook?key=1%202", BODY)
    assert request.headers == {
        "host": host,
        "accept-encoding": "identity",
        "content-length": str(len(BODY)),
        "user-agent": "subusers-webhooks/1",
        "connection": "close",
        "webhook-id": "1",
    }


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_2xx_status_is_success(receiver: Receiver, code: int) -> None:
    receiver.default_response = status(code)
    assert send(receiver.url).succeeded


@pytest.mark.parametrize("code", [300, 301, 302, 304, 307, 308, 400, 401, 404, 410, 429, 500, 503, 999])
def test_other_status_is_a_failure_and_redirects_are_not_followed(receiver: Receiver, code: int) -> None:
    receiver.default_response = status(code, f"Location: {receiver.url}/elsewhere")
    assert send(receiver.url) == DeliveryResult(status=code)
    assert [request.path for request in receiver.received] == ["/hook"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta()),
        ("in two hours", timedelta(hours=2)),
        ("soon", None),
        ("-5", None),
        ("9" * 30, None),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2030 00:00:00 +99999999999999999999", None),
        ("", None),
    ],
)
def test_retry_after_header_is_parsed(receiver: Receiver, header: str, expected: timedelta | None) -> None:
    """The header holds seconds or an HTTP date; anything else is ignored."""
    moment = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    receiver.default_response = status(429, f"Retry-After: {header.replace('in two hours', moment)}")
    retry_after = send(receiver.url).retry_after
    assert (retry_after is None) == (expected is None)
    assert retry_after is None or expected is None or abs(retry_after - expected) < timedelta(minutes=1)


def drip(receiver: Receiver, beginning: bytes, drop: bytes) -> Response:
    """Return an endless response: `beginning`, then `drop` every 50 ms."""

    def send_endlessly(connection: socket.socket) -> None:
        connection.sendall(beginning)
        while not receiver.stopped.wait(0.05):
            connection.sendall(drop)

    return send_endlessly


@pytest.mark.parametrize(
    "drop",
    [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b""],
    ids=["a status line without end", "continue, continue, continue", "nothing at all"],
)
def test_receiver_that_never_answers_times_out(receiver: Receiver, drop: bytes) -> None:
    """The timeout covers the whole request, so data that keeps arriving does not extend it."""
    receiver.default_response = drip(receiver, b"", drop)
    started = time.monotonic()
    assert send(receiver.url, seconds=SHORT_TIMEOUT) == DeliveryResult(error="timed-out")
    assert SHORT_TIMEOUT <= time.monotonic() - started < SHORT_TIMEOUT + TIMEOUT_TOLERANCE


def test_endless_headers_time_out(receiver: Receiver) -> None:
    receiver.default_response = drip(receiver, b"HTTP/1.1 200 OK\r\nX: ", b"y")
    assert send(receiver.url, seconds=SHORT_TIMEOUT) == DeliveryResult(error="timed-out")


@pytest.mark.parametrize("length", [b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_endless_body_does_not_block(receiver: Receiver, length: bytes) -> None:
    """The status decides; the sender reads the body for at most one second."""
    receiver.default_response = drip(receiver, b"HTTP/1.1 200 OK\r\n" + length + b"\r\n", b"1\r\nx\r\n")
    started = time.monotonic()
    assert send(receiver.url, seconds=SHORT_TIMEOUT).succeeded
    assert time.monotonic() - started < SHORT_TIMEOUT + TIMEOUT_TOLERANCE


def test_large_body_is_read_only_in_part(receiver: Receiver) -> None:
    """The sender reads at most 64 kB of the response."""
    sent = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1000):
            connection.sendall(bytes(100_000))
            sent.append(100_000)

    receiver.default_response = flood
    assert send(receiver.url).succeeded
    assert sum(sent) < 50_000_000


def test_oversized_response_headers_are_a_bad_answer(receiver: Receiver) -> None:
    receiver.default_response = raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000)
    assert send(receiver.url) == DeliveryResult(error="bad-answer")


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1", b"HTTP/1.1 OK\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n", b"\0" * 300])
def test_malformed_response_is_a_bad_answer(receiver: Receiver, response: bytes) -> None:
    """The response ends before its status line is complete, or is not HTTP."""
    receiver.default_response = raw(response)
    assert send(receiver.url) == DeliveryResult(error="bad-answer")


def test_truncated_body_is_still_a_success(receiver: Receiver) -> None:
    """The status decides, even if the body is shorter than announced."""
    receiver.default_response = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nshort")
    assert send(receiver.url).succeeded


def test_unreachable_receiver_and_unknown_host() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert send(f"http://localhost:{unused.getsockname()[1]}/") == DeliveryResult(error="no-connection")
    assert send("https://nowhere.invalid/") in {DeliveryResult(error="unknown-host"), DeliveryResult(error="timed-out")}


def test_slow_name_resolution_times_out(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: receiver.stopped.wait(20))
    assert send("https://receiver.example/", seconds=SHORT_TIMEOUT) == DeliveryResult(error="timed-out")
    receiver.stopped.set()


@pytest.mark.parametrize(
    "addresses",
    [
        *(["127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"]),
        *(["0.0.0.0"], ["224.0.0.1"], [PUBLIC, "10.0.0.7"], ["10.0.0.7", PUBLIC]),  # noqa: S104  # not bound, refused
    ],
    ids=str,
)
def test_name_that_resolves_to_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, addresses: list[str]
) -> None:
    """One private address among the results refuses all of them."""
    fake_resolver(monkeypatch, addresses)
    connections = Connections(monkeypatch, address_of(receiver))
    assert send("https://receiver.example/", WebhookUrlPolicy()) == DeliveryResult(error="refused-address")
    assert connections.made == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "017700000001"])
def test_unusual_notation_of_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, host: str
) -> None:
    """The system resolver accepts these notations, so the check applies to the resolved address."""
    connections = Connections(monkeypatch, address_of(receiver))
    assert send(f"https://{host}:{address_of(receiver)[1]}/", WebhookUrlPolicy()).error in {
        "refused-address",
        "unknown-host",
    }
    assert connections.made == []


def test_connection_uses_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """DNS rebinding has no effect because the name is looked up once."""
    looked_up = fake_resolver(monkeypatch, [PUBLIC], ["127.0.0.1"])
    connections = Connections(monkeypatch, address_of(receiver))
    assert send("https://receiver.example:8443/", WebhookUrlPolicy()) == DeliveryResult(error="no-encryption")
    assert looked_up == ["receiver.example"]
    assert connections.made == [(PUBLIC, 8443)]


def test_address_no_longer_allowed_by_the_operator_is_refused(receiver: Receiver) -> None:
    """The policy is checked on each request, not only when the webhook is created."""
    assert send(receiver.url, WebhookUrlPolicy()) == DeliveryResult(error="refused-address")
    assert receiver.received == []


def test_next_address_is_tried_after_a_refused_connection(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """The first address refuses the connection."""
    fake_resolver(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    assert send(receiver.url).succeeded


def test_proxy_settings_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(receiver.url).succeeded


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_receiver(certificate: Path) -> Iterator[Receiver]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with receiving(context) as receiver:
        yield receiver


def test_certificate_of_a_known_authority_is_accepted(tls_receiver: Receiver, certificate: Path) -> None:
    assert send(tls_receiver.url, context=ssl.create_default_context(cafile=certificate)).succeeded


@pytest.mark.parametrize(
    ("trusted", "change_host"), [(False, lambda url: url), (True, lambda url: url.replace("localhost", "127.0.0.1"))]
)
def test_untrusted_certificate_is_refused(
    tls_receiver: Receiver, certificate: Path, trusted: bool, change_host: Callable[[str], str]
) -> None:
    """The authority is unknown or the certificate is for another host. Nothing is sent."""
    context = ssl.create_default_context(cafile=certificate) if trusted else None
    assert send(change_host(tls_receiver.url), context=context) == DeliveryResult(error="bad-certificate")
    assert tls_receiver.received == []


def test_https_url_without_tls_on_the_receiver_is_refused(receiver: Receiver) -> None:
    assert send(receiver.url.replace("http:", "https:")) == DeliveryResult(error="no-encryption")
    assert receiver.received == []
