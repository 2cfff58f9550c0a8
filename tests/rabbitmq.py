"""RabbitMQ for tests: a shared or an own broker, exchanges, and a consumer that reconnects."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import pytest
from kombu import Connection

from adapters.amqp.rabbitmq import RabbitMq
from adapters.amqp.topology import Names, declare
from projections.feed.published_checkpoints import TYPE as CHECKPOINT
from tests.processes.deployment import free_port
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTERNAL_BROKER = "SUBUSERS_TEST_BROKER_URL"
"""Environment variable with the URL of the broker to use; its user must be allowed to declare exchanges and queues."""

DEFAULT_BROKER_URL = "amqp://guest:guest@127.0.0.1:5672"
PROGRAMS = f"/usr/lib/rabbitmq/bin:{os.environ.get('PATH', '')}"
"""RabbitMQ's own scripts come first: Debian's wrappers in /usr/sbin run only as root or rabbitmq."""

START_TIMEOUT_SECONDS = 180.0
START_ATTEMPTS = 3


def connect_to_broker(url: str) -> Any:
    """Return a connection from py-amqp."""
    return Connection(url, connect_timeout=5).transport.establish_connection()


def accepts_logins(url: str) -> bool:
    """Return whether a broker runs at this URL and accepts its credentials."""
    client = Connection(url, connect_timeout=5)
    try:
        client.transport.establish_connection().collect()
    except (OSError, *client.connection_errors, *client.channel_errors):
        return False
    return True


def is_listening(port: int) -> bool:
    """Return whether a local port accepts connections."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def any_broker() -> Iterator[str]:
    """Yield a broker URL: the one configured, the machine's default, or that of a new broker."""
    url = os.environ.get(EXTERNAL_BROKER) or DEFAULT_BROKER_URL
    if accepts_logins(url):
        yield url
        return
    with own_broker() as broker:
        yield broker.url


@contextmanager
def own_broker() -> Iterator[OwnBroker]:
    """Run a broker that a test may kill and freeze. Without RabbitMQ the test is skipped, or fails in CI."""
    if shutil.which("rabbitmq-server", path=PROGRAMS) is None:
        reason = "RabbitMQ is not installed: skipping the tests that publish to it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with ExitStack() as stack:
        yield _start_broker(stack, START_ATTEMPTS)


def _start_broker(stack: ExitStack, attempts: int) -> OwnBroker:
    """Return a running broker; retry with other ports if another process took one of them before the start."""
    folder = Path(tempfile.mkdtemp(prefix="subusers-rabbitmq-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    broker = OwnBroker(folder)
    stack.callback(broker.end)
    broker.start_epmd()
    try:
        broker.start()
    except BrokerStartFailed:
        if attempts == 1:
            raise
        return _start_broker(stack, attempts - 1)
    return broker


class BrokerStartFailed(Exception):
    """The broker exited during start-up; the message is the end of its output."""


class OwnBroker:
    """A RabbitMQ broker with its own ports and folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._epmd_port = free_port(), free_port()
        self._node = f"subusers-{uuid4().hex[:8]}@localhost"
        self._process: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(folder, "rabbitmq", "rabbitmq")
            self._as_user = {"user": "rabbitmq", "group": "rabbitmq", "extra_groups": []}

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}"

    def start_epmd(self) -> None:
        """Start the Erlang port mapper; the broker would otherwise start one that `end` cannot stop."""
        self._epmd = self._launch("epmd", "-port", str(self._epmd_port))
        eventually(lambda: is_listening(self._epmd_port), within=START_TIMEOUT_SECONDS)

    def start(self) -> None:
        """Start or restart the broker and wait until it accepts connections."""
        process = self._process = self._launch("rabbitmq-server")
        eventually(
            lambda: process.poll() is not None or accepts_logins(self.url), within=START_TIMEOUT_SECONDS, pause=0.1
        )
        if process.poll() is not None:
            raise BrokerStartFailed((self._folder / "output").read_text(errors="replace")[-2000:])

    def kill(self) -> None:
        """Kill the broker with SIGKILL."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def freeze(self) -> None:
        """Stop the broker's processes with SIGSTOP; connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue after `freeze`."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Kill the broker and its epmd."""
        self.thaw()
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()

    def control(self, *command: str) -> str:
        """Run a rabbitmqctl command and return its output."""
        arguments = [self._program("rabbitmqctl"), "--quiet", *command]
        output: str = subprocess.check_output(
            arguments, env=self._environment, cwd=self._folder, encoding="utf-8", **self._as_user
        )
        return output

    def create_vhost(self) -> str:
        """Create an empty virtual host and return its URL."""
        name = uuid4().hex[:8]
        self.control("add_vhost", name)
        self.control("set_permissions", "--vhost", name, "guest", ".*", ".*", ".*")
        return f"{self.url}/{name}"

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": PROGRAMS,
            "HOME": str(self._folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self._folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "LANG": "C.UTF-8",
        }

    def _launch(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "output").open("ab") as output:
            return subprocess.Popen(
                [self._program(program), *arguments],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **self._as_user,
            )

    def _program(self, name: str) -> str:
        path = shutil.which(name, path=PROGRAMS)
        assert path is not None, name
        return path

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


class Exchange:
    """An exchange with its own prefix, so that tests can share a broker."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url, self.prefix, self.names = url, prefix, Names(prefix)
        self._connection = connect_to_broker(url)
        declare(self._connection, self.names)
        self.channel = self._connection.channel()
        self._queues = [self.names.unrouted, self.names.stream]

    def broker(self, url: str | None = None, **options: Any) -> RabbitMq:
        """Return the adapter that publishes to this exchange, optionally through another URL."""
        return RabbitMq(url or self.url, prefix=self.prefix, **options)

    def bind(self, key: str = "#", arguments: dict[str, Any] | None = None) -> str:
        """Declare a durable queue bound to a routing key and return its name."""
        name = f"{self.prefix}.{uuid4().hex[:8]}"
        self.channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
        self.channel.queue_bind(name, self.names.events, key)
        self._queues.append(name)
        return name

    def delete_queue(self, name: str) -> None:
        self.channel.queue_delete(name)

    def take(self, queue: str) -> list[Any]:
        """Remove and return all messages of a queue."""
        return list(iter(lambda: self.channel.basic_get(queue, no_ack=True), None))

    def close(self) -> None:
        """Delete the queues and exchanges from the broker."""
        for queue in self._queues:
            self.channel.queue_delete(queue)
        for name in (self.names.events, self.names.unrouted):
            self.channel.exchange_delete(name)
        self._connection.close()


@contextmanager
def exchange_on(url: str) -> Iterator[Exchange]:
    """Yield an exchange with a random prefix."""
    exchange = Exchange(url, f"test-{uuid4().hex[:8]}")
    try:
        yield exchange
    finally:
        exchange.close()


class Consumer:
    """Consumer of a durable queue bound to all events. It reconnects, and deduplicates events by id."""

    def __init__(self, url: str, names: Names) -> None:
        self._url = url
        self._queue = f"{names.prefix}.consumer"
        self.events: dict[str, dict[str, Any]] = {}
        self.checkpoints: dict[str, dict[str, Any]] = {}
        self.duplicates = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consumer")
        connection = connect_to_broker(url)
        declare(connection, names)
        channel = connection.channel()
        channel.queue_declare(self._queue, durable=True, auto_delete=False)
        channel.queue_bind(self._queue, names.events, "#")
        connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with suppress(Exception):  # py-amqp raises many kinds of errors when a broker dies: reconnect
                self._read()
            self._stopping.wait(0.1)

    def _read(self) -> None:
        connection = connect_to_broker(self._url)
        try:
            channel = connection.channel()
            channel.basic_qos(0, 500, a_global=False)
            channel.basic_consume(self._queue, callback=lambda message: self._record(channel, message))
            while not self._stopping.is_set():
                with suppress(TimeoutError):
                    connection.drain_events(timeout=0.2)
        finally:
            connection.collect()

    def _record(self, channel: Any, message: Any) -> None:
        event = json.loads(message.body)
        received_events = self.checkpoints if event["type"] == CHECKPOINT else self.events
        self.duplicates += event["id"] in self.events
        received_events.setdefault(event["id"], event)
        channel.basic_ack(message.delivery_tag)
