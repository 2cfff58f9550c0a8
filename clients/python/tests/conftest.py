"""Fixtures: a client of each kind whose requests go to a function, and a real service."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest

from subusers_client import AsyncClient, Client, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Handler = Callable[[httpx.Request], httpx.Response]

ROOT = Path(__file__).parents[3]
COMMAND = os.environ.get("SUBUSERS_COMMAND", str(ROOT / ".venv" / "bin" / "subusers"))
FAST = RetryPolicy(first_pause=0.001, longest_pause=0.002)


class Caller(Protocol):
    """Calls a client of either kind, and returns results and lists of items."""

    def client(self, handler: Handler, **settings: Any) -> Any: ...

    def connect(self, url: str, **settings: Any) -> Any: ...

    def call(self, result: Any) -> Any: ...

    def items(self, iterator: Any) -> list[Any]: ...

    def close(self) -> None: ...


def refuse_deprecated_names(response: httpx.Response) -> None:
    """Fail if the request had a deprecated name."""
    assert "Deprecation" not in response.headers, response.request.url


class SyncCaller:
    def __init__(self) -> None:
        self.clients: list[Client] = []

    def client(self, handler: Handler, **settings: Any) -> Any:
        http = httpx.Client(transport=httpx.MockTransport(handler))
        return Client(**{"base_url": "http://service", "api_key": "key", "retries": FAST, **settings}, http_client=http)

    def connect(self, url: str, **settings: Any) -> Any:
        client = Client(**{"base_url": url, "api_key": "key", "retries": FAST, **settings})
        http = client._own_http  # noqa: SLF001  # a client that is passed in has other limits
        assert http is not None
        http.event_hooks = {"response": [refuse_deprecated_names]}
        self.clients.append(client)
        return client

    def call(self, result: Any) -> Any:
        return result

    def items(self, iterator: Any) -> list[Any]:
        return list(iterator)

    def close(self) -> None:
        for client in self.clients:
            client.close()


class AsyncCaller:
    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.clients: list[AsyncClient] = []

    def client(self, handler: Handler, **settings: Any) -> Any:
        http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
        settings = {"base_url": "http://service", "api_key": "key", "retries": FAST, **settings}
        return AsyncClient(**settings, http_client=http)

    def connect(self, url: str, **settings: Any) -> Any:
        async def check(response: httpx.Response) -> None:
            refuse_deprecated_names(response)

        client = AsyncClient(**{"base_url": url, "api_key": "key", "retries": FAST, **settings})
        http = client._own_http  # noqa: SLF001  # as above
        assert http is not None
        http.event_hooks = {"response": [check]}
        self.clients.append(client)
        return client

    def call(self, result: Any) -> Any:
        return self.runner.run(result)

    def items(self, iterator: Any) -> list[Any]:
        async def collect() -> list[Any]:
            return [item async for item in iterator]

        return self.runner.run(collect())

    def close(self) -> None:
        for client in self.clients:
            self.runner.run(client.aclose())
        self.runner.close()


@pytest.fixture(params=[SyncCaller, AsyncCaller], ids=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Yield a caller of the sync and then of the async client."""
    caller: Caller = request.param()
    yield caller
    caller.close()


class Responses:
    """A handler that gives these responses in turn, and the last one forever. Exceptions are raised."""

    def __init__(self, *responses: httpx.Response | Exception) -> None:
        self.responses = list(responses)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(response, Exception):
            raise response
        return httpx.Response(response.status_code, headers=response.headers, content=response.content)


@pytest.fixture
def responses() -> type[Responses]:
    """Return the class of handlers."""
    return Responses


@pytest.fixture
def problem() -> Callable[..., httpx.Response]:
    """Return a function that makes the response for a problem of the service."""

    def make(status: int, code: str, headers: dict[str, str] | None = None, **extensions: Any) -> httpx.Response:
        body = {
            "type": f"urn:subusers:problem:{code}",
            "title": "Title",
            "status": status,
            "detail": "Some detail.",
            "request_id": "id-1",
            **extensions,
        }
        content_type = {"Content-Type": "application/problem+json", "X-Request-Id": "id-1"}
        return httpx.Response(status, headers=content_type | (headers or {}), content=json.dumps(body))

    return make


class Service:
    """A running service with embedded PostgreSQL and its demo account."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SUBUSERS_")}
        self.environment = inherited | {
            "SUBUSERS_DATA_DIR": str(folder),
            "SUBUSERS_PORT": self.url.rpartition(":")[2],
            "SUBUSERS_SERVER_PROCESSES": "1",
            "SUBUSERS_WEBHOOK_ALLOW": "127.0.0.1",
            "TMPDIR": str(folder),
        }
        self.output = folder / "output.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [COMMAND, "serve"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        ends_at = time.monotonic() + 90
        while time.monotonic() < ends_at:
            assert self.process.poll() is None, self.output.read_text()
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            time.sleep(0.1)
        pytest.fail(f"the service is not ready: {self.output.read_text()[-2000:]}")

    def printed(self, label: str) -> str:
        """Return a value that the first start printed."""
        match = re.search(rf"^  {label} +(\S+)$", self.output.read_text(), re.MULTILINE)
        assert match is not None, label
        return match[1]

    def run(self, *arguments: str) -> str:
        """Run a command of the operator and return its output."""
        command = [COMMAND, *arguments]
        finished = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, cwd=self.folder, timeout=60
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def create_api_key(self, scope: str = "portal", *options: str) -> str:
        return self.run("api-key", "create", "--scope", scope, "--name", "a test", *options).strip().split()[-1]

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def unused_port() -> Callable[[], int]:
    """Return a function that returns an unused port."""
    return free_port


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """Yield a running service, which ends with the tests."""
    assert Path(COMMAND).exists(), f"{COMMAND} does not exist: run `make test-client`, or set SUBUSERS_COMMAND"
    folder = Path(tempfile.mkdtemp(prefix="subusers-client-"))
    folder.chmod(0o711)  # under root, embedded PostgreSQL runs as another user
    service = Service(folder)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.end()
        shutil.rmtree(folder, ignore_errors=True)
