"""Requests to receivers whom nobody knows: where they may go, what counts as taken, and that none lasts for long."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from adapters.webhooks.sender import WebhookSender
from application.webhook_deliveries import Receipt
from application.webhook_receivers import Receivers
from tests.mail_server import write_certificate
from tests.receiver import raw, receiving, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.receiver import Answer, Receiver

THIS_MACHINE = Receivers((ip_network("127.0.0.0/8"), ip_network("::1/128")), frozenset({"localhost"}))
PUBLIC = "93.184.216.34"
SECONDS, PATIENCE = 1.0, 30.0
"""For a receiver who never comes to an end, and for all others: a busy machine may take its time."""

LATE = 10.0
"""By how much later a busy machine may notice that the time is over; whoever did not look would go on for ever."""

BODY = b'{"data":{}}'


def send(
    url: str, receivers: Receivers = THIS_MACHINE, context: ssl.SSLContext | None = None, seconds: float = PATIENCE
) -> Receipt:
    return WebhookSender(receivers, context, seconds).send(url, {"webhook-id": "1"}, BODY)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Have names resolve to these, look-up by look-up, the last for ever; return the names that were looked up."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in found]
        return [(f, socket.SOCK_STREAM, 6, "", (one, port)) for f, one in zip(families, found, strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


class Connections:
    """Notes where connections are made to, and makes each to one place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, place: tuple[str, int]) -> None:
        self.made: list[Any] = []
        connect = socket.socket.connect

        def connect_there(one: socket.socket, address: Any) -> None:
            self.made.append(address)
            connect(one, place)

        monkeypatch.setattr(socket.socket, "connect", connect_there)


def place_of(receiver: Receiver) -> tuple[str, int]:
    return "127.0.0.1", urlsplit(receiver.url).port or 0


def test_a_request_arrives_whole(receiver: Receiver) -> None:
    """With its path and query, its headers, and a body of the length that it tells."""
    assert send(f"{receiver.url}?key=1%202") == Receipt(status=204)

    (got,) = receiver.received
    host = urlsplit(receiver.url).netloc
    assert (got.path, got.body) == ("/hook?key=1%202", BODY)
    assert got.headers == {
        "host": host,
        "accept-encoding": "identity",
        "content-length": str(len(BODY)),
        "user-agent": "subusers-webhooks/1",
        "connection": "close",
        "webhook-id": "1",
    }


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_2xx_is_taken(receiver: Receiver, code: int) -> None:
    receiver.usually = status(code)
    assert send(receiver.url).succeeded


@pytest.mark.parametrize("code", [300, 301, 302, 304, 307, 308, 400, 401, 404, 410, 429, 500, 503, 999])
def test_anything_else_is_not(receiver: Receiver, code: int) -> None:
    """Redirects are not followed."""
    receiver.usually = status(code, f"Location: {receiver.url}/elsewhere")
    assert send(receiver.url) == Receipt(status=code)
    assert [one.path for one in receiver.received] == ["/hook"]


@pytest.mark.parametrize(
    ("told", "understood"),
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
def test_a_receiver_may_ask_for_time(receiver: Receiver, told: str, understood: timedelta | None) -> None:
    """In seconds, or until a moment."""
    moment = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    receiver.usually = status(429, f"Retry-After: {told.replace('in two hours', moment)}")
    asked = send(receiver.url).retry_after
    assert (asked is None) == (understood is None)
    assert asked is None or understood is None or abs(asked - understood) < timedelta(minutes=1)


def drip(receiver: Receiver, beginning: bytes, drop: bytes) -> Answer:
    """Return the answer that goes on and on, a little at a time."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(beginning)
        while not receiver.over.wait(0.05):
            connection.sendall(drop)

    return answer


@pytest.mark.parametrize(
    "drop",
    [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b""],
    ids=["a status line without end", "continue, continue, continue", "nothing at all"],
)
def test_who_never_answers_is_given_up(receiver: Receiver, drop: bytes) -> None:
    """After the whole time, however often something comes."""
    receiver.usually = drip(receiver, b"", drop)
    began = time.monotonic()
    assert send(receiver.url, seconds=SECONDS) == Receipt(error="timed-out")
    assert SECONDS <= time.monotonic() - began < SECONDS + LATE


def test_headers_without_end_are_given_up(receiver: Receiver) -> None:
    receiver.usually = drip(receiver, b"HTTP/1.1 200 OK\r\nX: ", b"y")
    assert send(receiver.url, seconds=SECONDS) == Receipt(error="timed-out")


@pytest.mark.parametrize("length", [b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_a_body_without_end_keeps_nobody(receiver: Receiver, length: bytes) -> None:
    """The status says that it was taken; of the body no more is waited for than a moment."""
    receiver.usually = drip(receiver, b"HTTP/1.1 200 OK\r\n" + length + b"\r\n", b"1\r\nx\r\n")
    began = time.monotonic()
    assert send(receiver.url, seconds=SECONDS).succeeded
    assert time.monotonic() - began < SECONDS + LATE


def test_a_large_body_is_not_read_to_its_end(receiver: Receiver) -> None:
    """64 kB at most, however fast it comes."""
    sent = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1000):
            connection.sendall(bytes(100_000))
            sent.append(100_000)

    receiver.usually = flood
    assert send(receiver.url).succeeded
    assert sum(sent) < 50_000_000


def test_a_head_that_is_too_large_is_no_answer(receiver: Receiver) -> None:
    receiver.usually = raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000)
    assert send(receiver.url) == Receipt(error="bad-answer")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1", b"HTTP/1.1 OK\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n", b"\0" * 300])
def test_what_is_no_answer(receiver: Receiver, answer: bytes) -> None:
    """It ends before its status, or is something else than HTTP."""
    receiver.usually = raw(answer)
    assert send(receiver.url) == Receipt(error="bad-answer")


def test_an_answer_that_lies_about_its_length(receiver: Receiver) -> None:
    """It was taken: the status is what counts."""
    receiver.usually = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nshort")
    assert send(receiver.url).succeeded


def test_nobody_there() -> None:
    """No connection, or no such host."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        assert send(f"http://localhost:{one.getsockname()[1]}/") == Receipt(error="no-connection")
    assert send("https://nowhere.invalid/") in {Receipt(error="unknown-host"), Receipt(error="timed-out")}


def test_a_look_up_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: receiver.over.wait(20))
    assert send("https://receiver.example/", seconds=SECONDS) == Receipt(error="timed-out")
    receiver.over.set()


@pytest.mark.parametrize(
    "addresses",
    [
        *(["127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"]),
        *(["0.0.0.0"], ["224.0.0.1"], [PUBLIC, "10.0.0.7"], ["10.0.0.7", PUBLIC]),  # noqa: S104  # not bound, refused
    ],
    ids=str,
)
def test_a_name_of_an_address_inside_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, addresses: list[str]
) -> None:
    """Not even to the public one among its addresses."""
    resolving(monkeypatch, addresses)
    connections = Connections(monkeypatch, place_of(receiver))
    assert send("https://receiver.example/", Receivers()) == Receipt(error="refused-address")
    assert connections.made == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "017700000001"])
def test_an_address_in_disguise_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, host: str
) -> None:
    """The system's own look-up takes these for addresses: what it says is what counts."""
    connections = Connections(monkeypatch, place_of(receiver))
    assert send(f"https://{host}:{place_of(receiver)[1]}/", Receivers()).error in {"refused-address", "unknown-host"}
    assert connections.made == []


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """A name that means another address a moment later gains nothing by it: it is looked up once."""
    asked = resolving(monkeypatch, [PUBLIC], ["127.0.0.1"])
    connections = Connections(monkeypatch, place_of(receiver))
    assert send("https://receiver.example:8443/", Receivers()) == Receipt(error="no-encryption")
    assert asked == ["receiver.example"]
    assert connections.made == [(PUBLIC, 8443)]


def test_what_the_operator_allows_no_more_is_not_sent_to(receiver: Receiver) -> None:
    """Also where it was allowed when the webhook was made."""
    assert send(receiver.url, Receivers()) == Receipt(error="refused-address")
    assert receiver.received == []


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """Where the first one refuses connections."""
    resolving(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    assert send(receiver.url).succeeded


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(receiver.url).succeeded


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def encrypted(certificate: Path) -> Iterator[Receiver]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with receiving(context) as receiver:
        yield receiver


def test_a_certificate_of_a_known_authority_is_trusted(encrypted: Receiver, certificate: Path) -> None:
    assert send(encrypted.url, context=ssl.create_default_context(cafile=certificate)).succeeded


@pytest.mark.parametrize(
    ("trusted", "elsewhere"), [(False, lambda url: url), (True, lambda url: url.replace("localhost", "127.0.0.1"))]
)
def test_another_certificate_is_not(
    encrypted: Receiver, certificate: Path, trusted: bool, elsewhere: Callable[[str], str]
) -> None:
    """One of an unknown authority, or for another host: nothing is sent."""
    context = ssl.create_default_context(cafile=certificate) if trusted else None
    assert send(elsewhere(encrypted.url), context=context) == Receipt(error="bad-certificate")
    assert encrypted.received == []


def test_a_receiver_that_does_not_encrypt_gets_nothing(receiver: Receiver) -> None:
    assert send(receiver.url.replace("http:", "https:")) == Receipt(error="no-encryption")
    assert receiver.received == []
