"""HTTP server: parsing, limits and timeouts with slow, many or hostile clients."""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from api.server.http_server import TICK_SECONDS
from api.server.lanes import Lane, LaneLimits
from api.server.limits import MAX_BODY_PIECES, MAX_FRAMING_BYTES, MAX_HEAD_BYTES, MAX_HEADERS
from api.server.response_timing import ARRIVED_AT, RESPOND_AT
from tests.api.http_server_harness import LIMITS, Client, RunningServer, serving
from tests.waiting import TIMEOUT_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

CHUNK = b"x" * 65536
HOLD_SECONDS = 2.0


class SmallApp:
    """WSGI application that echoes the path, except that some paths wait, are delayed, are streamed, or fail."""

    def __init__(self) -> None:
        self.requests: list[WSGIEnvironment] = []
        self.bodies: list[bytes] = []
        self.released = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.chunks_taken = 0
        self.stream_closed = threading.Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.requests.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        if environ["PATH_INFO"] == "/wait" or environ["QUERY_STRING"] == "wait":
            self.waiting.release()
            self.released.wait(TIMEOUT_SECONDS)
        match environ["PATH_INFO"]:
            case "/hold":
                environ[RESPOND_AT] = environ[ARRIVED_AT] + HOLD_SECONDS
            case "/stream":
                start_response("200 OK", [("Content-Type", "text/plain")])
                return Chunks(self)
            case "/large":
                return self._respond(start_response, CHUNK * 500)
            case "/crash":
                raise ValueError
        return self._respond(start_response, environ["PATH_INFO"].encode("latin-1"))

    def _respond(self, start_response: StartResponse, body: bytes) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]


class Chunks:
    """Response body of 1,000 chunks, which counts how many were taken."""

    def __init__(self, app: SmallApp) -> None:
        self._app = app

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(1000):
            self._app.chunks_taken += 1
            yield CHUNK

    def close(self) -> None:
        self._app.stream_closed.set()


@pytest.fixture
def app() -> SmallApp:
    return SmallApp()


@pytest.fixture
def server(app: SmallApp) -> Iterator[RunningServer]:
    with serving(app) as server:
        yield server


@pytest.fixture
def client(server: RunningServer) -> Iterator[Client]:
    with server.client() as client:
        yield client


def test_pipelined_requests_are_answered_in_order(client: Client) -> None:
    assert client.get("/first").body == b"/first"
    client.send("GET /second HTTP/1.1\r\nHost: x\r\n\r\nGET /third HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [client.read_response().body, client.read_response().body] == [b"/second", b"/third"]


def pipelined_requests(count: int) -> str:
    return "".join(f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n" for number in range(count))


@pytest.mark.parametrize("piece_bytes", [1_000_000, 1_000])
@pytest.mark.parametrize("is_half_closed", [False, True])
def test_any_number_of_pipelined_requests_is_answered(
    server: RunningServer, client: Client, piece_bytes: int, is_half_closed: bool
) -> None:
    data = pipelined_requests(3000)
    for start in range(0, len(data), piece_bytes):
        client.send(data[start : start + piece_bytes])
    if is_half_closed:
        client.socket.shutdown(socket.SHUT_WR)
    assert [client.read_response().body for _ in range(3000)] == [b"/%d" % index for index in range(3000)]
    assert server.get("/other").status == 200
    if is_half_closed:
        assert client.wait_until_closed()


def test_pipelined_requests_may_have_bodies(app: SmallApp, client: Client) -> None:
    """The first packet may end within any of the bodies."""
    client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    assert app.waiting.acquire(timeout=TIMEOUT_SECONDS)
    for size in (100_000, 0, 300_000, 3):
        client.send(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n" + "x" * size)
    app.released.set()
    assert [client.read_response().status for _ in range(5)] == [200] * 5
    assert [len(body) for body in app.bodies] == [0, 100_000, 0, 300_000, 3]


def test_body_may_continue_after_the_previous_response(app: SmallApp, client: Client) -> None:
    """The limit for a head does not apply to the body."""
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n123")
    assert client.read_response().status == 200
    for size in (99_997, 100_000):
        client.send(b"x" * size)
        time.sleep(0.05)
    assert client.read_response().status == 200
    assert [len(body) for body in app.bodies] == [0, 200_000]


def test_request_begun_before_the_previous_response_has_a_deadline(app: SmallApp) -> None:
    """Its connection does not count as idle."""
    with serving(app, replace(LIMITS, head_seconds=0.5, request_seconds=0.5)) as server:
        for rest in ("GET / HTT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"):
            with server.client() as client:
                client.send("GET /first HTTP/1.1\r\nHost: x\r\n\r\n" + rest)
                assert client.read_response().body == b"/first"
                assert client.read_response().status == 408


def test_unfinished_request_of_a_half_closed_connection_closes_it(client: Client) -> None:
    client.send(pipelined_requests(500) + "GET /unfin")
    client.socket.shutdown(socket.SHUT_WR)
    assert [client.read_response().status for _ in range(500)] == [200] * 500
    assert client.wait_until_closed()


def test_client_that_pipelines_without_end_is_not_read(app: SmallApp, client: Client) -> None:
    """The server reads no more while the first request runs."""
    client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    assert app.waiting.acquire(timeout=TIMEOUT_SECONDS)
    client.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        client.send(pipelined_requests(1000) * 1000)
    app.released.set()


def test_pipelined_requests_beyond_the_queue_are_refused_one_by_one(app: SmallApp) -> None:
    """The connection stays open."""
    with serving(app, lanes={Lane.READS: LaneLimits(1, 0, 30.0)}) as server, server.client() as client:
        client.send(pipelined_requests(3000))
        assert {client.read_response().status for _ in range(3000)} == {503}
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert client.read_response().status == 200


def test_wsgi_environment(app: SmallApp, client: Client) -> None:
    """The environment conforms to PEP 3333, and has the arrival time of the request."""
    before = time.monotonic()
    client.send(
        "POST /a%20b?c=%20d HTTP/1.1\r\nHost: y:1\r\nX-Client-IP: 1.2.3.4\r\nCookie: a=1\r\nCookie: b=2\r\n"
        "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc"
    )
    assert client.read_response().status == 200
    (environ,) = app.requests
    expected = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=%20d",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "3",
        "HTTP_HOST": "y:1",
        "HTTP_X_CLIENT_IP": "1.2.3.4",
        "HTTP_COOKIE": "a=1; b=2",
        "wsgi.url_scheme": "http",
    }
    assert {name: environ.get(name) for name in expected} == expected
    assert before <= environ[ARRIVED_AT] <= time.monotonic()
    assert app.bodies == [b"abc"]


CHUNKED = "POST / HTTP/1.1\r\nHost: x\r\nCookie: a=1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"


def test_trailer_fields_are_dropped(app: SmallApp, client: Client) -> None:
    """They arrive after the head was checked, and a proxy may have checked only the head (RFC 9110, 6.5.1)."""
    client.send(f"{CHUNKED}Authorization: Bearer secret\r\nX-Client-IP: 6.6.6.6\r\nCookie: b=2\r\n\r\n")
    assert client.read_response().status == 200
    assert client.get("/next").body == b"/next"
    environ, _ = app.requests
    assert app.bodies[0] == b"abc"
    assert environ["HTTP_COOKIE"] == "a=1"
    assert not {"HTTP_AUTHORIZATION", "HTTP_X_CLIENT_IP"} & environ.keys()


@pytest.mark.parametrize(
    ("trailer", "status"),
    [
        ("".join(f"X-{number}: 1\r\n" for number in range(MAX_HEADERS)) + "\r\n", 431),
        (f"X: {'x' * MAX_HEAD_BYTES}\r\n\r\n", 431),
        ("X: " + "x" * (LIMITS.body_bytes + MAX_FRAMING_BYTES), 413),
    ],
    ids=["many fields", "large field", "endless field"],
)
def test_trailers_are_limited(app: SmallApp, client: Client, trailer: str, status: int) -> None:
    """The parser keeps a field until it is complete."""
    client.send(CHUNKED + trailer)
    assert client.read_response().status == status
    assert app.requests == []


@pytest.mark.parametrize("piece_bytes", [1_000_000, 20_000, 1_000])
@pytest.mark.parametrize("part", ["target", "header", "headers"])
@pytest.mark.parametrize(("size", "status"), [(MAX_HEAD_BYTES - 500, 200), (MAX_HEAD_BYTES + 1, 431), (70_000, 431)])
def test_head_limit_does_not_depend_on_packets(
    client: Client, size: int, status: int, part: str, piece_bytes: int
) -> None:
    target, fields = "/", ""
    if part == "target":
        target += "x" * size
    elif part == "header":
        fields = f"X: {'x' * size}\r\n"
    else:
        fields = "".join(f"X-{number}: {'x' * (size // 50)}\r\n" for number in range(50))
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode()
    with suppress(ConnectionError):  # the server may refuse it before it is complete
        for start in range(0, len(request), piece_bytes):
            client.send(request[start : start + piece_bytes])
            time.sleep(0.001)
    assert client.read_response().status == status


def test_ambiguous_header_names_are_dropped(app: SmallApp, client: Client) -> None:
    """WSGI uses one name for X-Forwarded-For and X_Forwarded_For, so a client could override its proxy."""
    response = client.get(
        "/", "X_Forwarded_For: 6.6.6.6", "X-Forwarded-For: 1.2.3.4", "X_Client_IP: 6.6.6.6", "X.Real.IP: 6.6.6.6"
    )
    assert response.status == 200
    (environ,) = app.requests
    assert environ["HTTP_X_FORWARDED_FOR"] == "1.2.3.4"
    assert "6.6.6.6" not in map(str, environ.values())


@pytest.mark.parametrize(
    "head",
    [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nAuthorization: b\r\n",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n",
        "GET x HTTP/1.1\r\nHost: x\r\n",
        "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n",
        "NONSENSE\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c: d\x00\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
    ],
)
def test_ambiguous_request_head_is_refused(app: SmallApp, client: Client, head: str) -> None:
    """Other versions and a missing host are refused as well; none of these requests reaches the application."""
    client.send(f"{head}\r\n3\r\nabc\r\n0\r\n\r\n")
    response = client.read_response()
    assert (response.status, response.json["type"]) == (400, "urn:subusers:problem:bad-request")
    assert response.headers["connection"] == "close"
    assert client.wait_until_closed()
    assert app.requests == []


def test_upgrade_to_http_2_is_ignored(client: Client) -> None:
    """The response is HTTP/1.1, and nothing else is read. Java clients offer the upgrade by default."""
    response = client.get("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ")
    assert (response.status, response.headers["connection"]) == (200, "close")
    assert client.wait_until_closed()


def test_oversized_requests_are_refused(app: SmallApp, server: RunningServer) -> None:
    """Limits apply to the stated and the actual body size, the head, and the number of chunks."""
    head = "POST / HTTP/1.1\r\nHost: x\r\n"
    over_limit = LIMITS.body_bytes + 1
    refused = {
        f"{head}Content-Length: {over_limit}\r\n\r\n": 413,
        f"{head}Transfer-Encoding: chunked\r\n\r\n{over_limit:x}\r\n{'x' * over_limit}\r\n0\r\n\r\n": 413,
        f"{head}Transfer-Encoding: chunked\r\n\r\n" + "1\r\nx\r\n" * (MAX_BODY_PIECES + 1): 413,
        f"{head}A: {'x' * MAX_HEAD_BYTES}": 431,
        head + "A: b\r\n" * 200 + "\r\n": 431,
    }
    for text, status in refused.items():
        with server.client() as client:
            try:
                client.send(text)
            except OSError:
                continue  # the server closed the connection before the client had sent everything
            assert client.read_response().status == status
            assert client.wait_until_closed()
    assert app.requests == []


def test_bodies_up_to_the_limit_arrive_whole(app: SmallApp, client: Client) -> None:
    """They may be chunked or not; a client that expects 100 Continue gets it."""
    body = "x" * LIMITS.body_bytes
    client.send(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n")
    assert client.read_response().status == 100
    client.send(body)
    assert client.read_response().status == 200
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert client.read_response().status == 200
    assert app.bodies == [body.encode(), b"abcde"]
    assert app.requests[1]["CONTENT_LENGTH"] == "5"


def test_body_without_an_api_key_is_discarded(app: SmallApp, client: Client) -> None:
    """The application refuses such a request in any case."""
    client.send("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    assert client.read_response().status == 200
    assert app.bodies == [b""]


def test_head_http_1_0_and_half_closed_connections(server: RunningServer) -> None:
    """HEAD has no body, HTTP/1.0 closes, and a client may close its side after the request."""
    with server.client() as client:
        client.send("HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.read_response(head_only=True).headers["content-length"] == "4"
        assert client.get("/after").body == b"/after"
    with server.client() as client:
        client.send("GET /stream HTTP/1.0\r\n\r\n")
        client.read_response(head_only=True)
        assert len(client.file.read()) == 1000 * len(CHUNK)
    with server.client() as client:
        client.send("GET /abc HTTP/1.1\r\nHost: x\r\n\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_response().body == b"/abc"
        assert client.wait_until_closed()


def test_stream_is_sent_in_chunks(app: SmallApp, client: Client) -> None:
    """The connection can be used for another request."""
    assert len(client.get("/stream").body) == 1000 * len(CHUNK)
    assert app.stream_closed.wait(TIMEOUT_SECONDS)
    assert client.get("/after").body == b"/after"


def test_uncaught_exception_returns_500(client: Client) -> None:
    assert client.get("/crash").json["type"] == "urn:subusers:problem:internal-error"


@pytest.mark.parametrize(
    "partial_request",
    [
        "",
        "GET / HT",
        "GET / HTTP/1.1\r\nHost: x\r\nA: ",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
    ],
)
def test_unfinished_request_times_out(app: SmallApp, partial_request: str) -> None:
    """The request holds no thread until then."""
    limits = replace(LIMITS, head_seconds=0.5, request_seconds=0.5)
    with serving(app, limits, {lane: LaneLimits(1, 64, 30.0) for lane in Lane}) as server, ExitStack() as stack:
        slow_clients = [stack.enter_context(server.client()) for _ in range(70)]
        for client in slow_clients:
            client.send(partial_request)
        assert server.get("/others").body == b"/others"
        if partial_request:
            assert slow_clients[0].read_response().status == 408
        for client in slow_clients:
            if not client.wait_until_closed():
                client.file.read()  # the rest of the refusal; raises TimeoutError if the server does not close it
        assert len(app.requests) == 1


def test_unread_responses_time_out(app: SmallApp) -> None:
    """The responses hold no thread, and streams are closed."""
    limits = replace(LIMITS, write_seconds=0.5)
    with serving(app, limits, {lane: LaneLimits(1, 64, 30.0) for lane in Lane}) as server, ExitStack() as stack:
        for path in ["/stream", "/large"] * 20:
            client = stack.enter_context(server.client())
            client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.get("/others").body == b"/others"
        eventually(lambda: server.heartbeat.connections == 0)
        assert app.stream_closed.wait(TIMEOUT_SECONDS)
        assert 0 < app.chunks_taken < 20 * 1000


def test_lanes_are_independent(app: SmallApp) -> None:
    """While the lane for reads is full and returns 503, the health lane responds."""
    lanes = {Lane.READS: LaneLimits(threads=2, queue_limit=2, queue_seconds=0.5)}
    with serving(app, lanes=lanes) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(6)]
        for client in clients[:2]:
            client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            assert app.waiting.acquire(timeout=TIMEOUT_SECONDS)
        for client in clients[2:]:
            client.send("GET /queued HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.get("/healthz").body == b"/healthz"
        responses = [client.read_response() for client in clients[2:]]
        assert [response.status for response in responses] == [503] * 4
        assert all(response.headers["retry-after"] == "1" for response in responses)
        app.released.set()
        assert [client.read_response().status for client in clients[:2]] == [200, 200]


def test_expired_requests_do_not_fill_the_queue(app: SmallApp) -> None:
    """They leave the queue even while no thread is free to take them from it."""
    lanes = {Lane.READS: LaneLimits(threads=1, queue_limit=2, queue_seconds=1.0)}
    with serving(app, lanes=lanes) as server, ExitStack() as stack:
        blocking, *expired, queued = [stack.enter_context(server.client()) for _ in range(4)]
        blocking.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert app.waiting.acquire(timeout=TIMEOUT_SECONDS)
        for client in expired:
            client.send("GET /expired HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [client.read_response().status for client in expired] == [503, 503]
        queued.send("GET /queued HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not select.select([queued.socket], [], [], 0.2)[0]
        app.released.set()
        assert queued.read_response().body == b"/queued"


def test_delayed_response_holds_no_thread(app: SmallApp) -> None:
    """Other requests are answered before the time that the application set."""
    with serving(app, lanes={Lane.READS: LaneLimits(1, 64, 30.0)}) as server, server.client() as delayed_client:
        before = time.monotonic()
        delayed_client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: app.requests)
        assert server.get("/others").body == b"/others"
        assert not select.select([delayed_client.socket], [], [], 0)[0]
        assert delayed_client.read_response().body == b"/hold"
        assert time.monotonic() - before >= HOLD_SECONDS


def test_connections_per_client_are_limited(app: SmallApp) -> None:
    """One more closes the client's oldest idle connection; other clients keep theirs."""
    with serving(app, replace(LIMITS, connections_per_client=5)) as server, ExitStack() as stack:
        other_client = stack.enter_context(server.client("127.0.0.2"))
        assert other_client.get("/").status == 200
        first, *_ = [stack.enter_context(server.client()) for _ in range(5)]
        eventually(lambda: server.heartbeat.connections == 6)
        assert server.get("/one-more").body == b"/one-more"
        assert first.wait_until_closed()
        assert other_client.get("/again").body == b"/again"


def test_busy_connections_are_not_closed_for_new_ones(app: SmallApp) -> None:
    """A client whose connections are all busy gets no further one."""
    lanes = {Lane.READS: LaneLimits(1, 64, 30.0)}
    with serving(app, replace(LIMITS, connections_per_client=3), lanes) as server, ExitStack() as stack:
        busy = [stack.enter_context(server.client()) for _ in range(3)]
        for client in busy:
            client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert app.waiting.acquire(timeout=TIMEOUT_SECONDS)
        eventually(lambda: server.heartbeat.connections == 3)
        with server.client() as refused:
            assert refused.wait_until_closed()
        app.released.set()
        assert [client.read_response().status for client in busy] == [200] * 3


def test_total_connections_are_limited(app: SmallApp) -> None:
    """The client with the most connections loses idle ones; new requests are answered.

    The event loop continues after it has reported the refusals.
    """
    with serving(app, replace(LIMITS, connections=20)) as server, ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(server.client())
        with server.client("127.0.0.2") as other_client:
            assert other_client.get("/others").body == b"/others"
            eventually(lambda: server.heartbeat.connections <= 20)
            assert server.get("/more").body == b"/more"
            assert other_client.get("/again").body == b"/again"
            now = time.monotonic()
            eventually(lambda: server.heartbeat.loop_beat > now + 2 * TICK_SECONDS)  # a tick reports the refusals


def test_memory_for_unfinished_bodies_is_limited(app: SmallApp) -> None:
    """The oldest requests are refused, so that a new one can be read."""
    with serving(app, replace(LIMITS, total_body_bytes=1_000_000)) as server, ExitStack() as stack:
        for _ in range(10):
            client = stack.enter_context(server.client())
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + b"x" * 400_000)
        with server.client() as client:
            client.send(b"POST /new HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500_000)
            assert client.read_response().body == b"/new"


def test_running_request_finishes_at_shutdown(app: SmallApp, server: RunningServer, client: Client) -> None:
    """Its connection closes after the response, idle connections at once."""
    with server.client() as idle:
        assert idle.get("/").status == 200
        client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert app.waiting.acquire(timeout=TIMEOUT_SECONDS)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert idle.wait_until_closed()
        app.released.set()
        response = client.read_response()
        assert (response.body, response.headers["connection"]) == (b"/wait", "close")
        stopping.join()


def test_heartbeat_of_the_pool_stops_while_no_critical_thread_is_free(app: SmallApp) -> None:
    """The event loop's heartbeat continues."""
    critical_lane = {Lane.CRITICAL: LaneLimits(1, 64, 30.0)}
    with serving(app, lanes=critical_lane) as server, server.client() as client:
        heartbeat, before = server.heartbeat, time.monotonic()
        eventually(lambda: heartbeat.loop_beat > before and heartbeat.pool_beat > before)
        client.send("GET /readyz?wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert app.waiting.acquire(timeout=TIMEOUT_SECONDS)
        last_pool_beat, blocked_at = heartbeat.pool_beat, time.monotonic()
        eventually(lambda: heartbeat.loop_beat > blocked_at + 2 * TICK_SECONDS)
        assert heartbeat.pool_beat == last_pool_beat
        app.released.set()
        assert client.read_response().body == b"/readyz"
        eventually(lambda: heartbeat.pool_beat > blocked_at)


def test_threads_end_with_the_server(app: SmallApp) -> None:
    before = set(threading.enumerate())
    with serving(app) as server:
        assert server.get("/").status == 200
    eventually(lambda: set(threading.enumerate()) <= before)
