"""RabbitMQ for tests: a broker that answers or one of our own, which may be harmed, and a consumer that comes back."""

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
from projections.published_checkpoints import TYPE as CHECKPOINT
from tests.processes.deployment import free_port
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTERNAL_BROKER = "SUBUSERS_TEST_BROKER_URL"
"""Names a broker to use; its user must be allowed to declare what it likes."""

USUAL_BROKER = "amqp://guest:guest@127.0.0.1:5672"
PROGRAMS = f"/usr/lib/rabbitmq/bin:{os.environ.get('PATH', '')}"
"""The scripts themselves come first: Debian's in /usr/sbin may be run by two users only."""

SECONDS_TO_START = 180.0
ATTEMPTS = 3


def dial(url: str) -> Any:
    """Return a connection of py-amqp's."""
    return Connection(url, connect_timeout=5).transport.establish_connection()


def answers(url: str) -> bool:
    """Say whether a broker lets us in there."""
    client = Connection(url, connect_timeout=5)
    try:
        client.transport.establish_connection().collect()
    except (OSError, *client.connection_errors, *client.channel_errors):
        return False
    return True


def is_listening(port: int) -> bool:
    """Say whether anybody takes connections at a port of this machine."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def any_broker() -> Iterator[str]:
    """Lend the URL of a broker: the one that is named, the machine's, or one of our own."""
    url = os.environ.get(EXTERNAL_BROKER) or USUAL_BROKER
    if answers(url):
        yield url
        return
    with own_broker() as broker:
        yield broker.url


@contextmanager
def own_broker() -> Iterator[OwnBroker]:
    """Run a broker that a test may kill and freeze; without RabbitMQ the test is left out, or fails in CI."""
    if shutil.which("rabbitmq-server", path=PROGRAMS) is None:
        reason = "RabbitMQ is not installed here: tests of publishing to it are left out"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with ExitStack() as stack:
        yield _started(stack, ATTEMPTS)


def _started(stack: ExitStack, attempts: int) -> OwnBroker:
    """Return a broker that answers; somebody may take one of its ports between looking for it and starting."""
    folder = Path(tempfile.mkdtemp(prefix="subusers-rabbitmq-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    broker = OwnBroker(folder)
    stack.callback(broker.end)
    broker.register()
    try:
        broker.start()
    except EndedAtOnce:
        if attempts == 1:
            raise
        return _started(stack, attempts - 1)
    return broker


class EndedAtOnce(Exception):
    """A broker did not come up: with what it said."""


class OwnBroker:
    """A RabbitMQ on ports and in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._epmd_port = free_port(), free_port()
        self._node = f"subusers-{uuid4().hex[:8]}@localhost"
        self._process: subprocess.Popen[bytes] | None = None
        self._names: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(folder, "rabbitmq", "rabbitmq")
            self._as_user = {"user": "rabbitmq", "group": "rabbitmq", "extra_groups": []}

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}"

    def register(self) -> None:
        """Start Erlang's register of names, which a broker would start for itself and leave behind."""
        self._names = self._launch("epmd", "-port", str(self._epmd_port))
        eventually(lambda: is_listening(self._epmd_port), within=SECONDS_TO_START)

    def start(self) -> None:
        """Start it, again if it was killed, and wait until it answers."""
        process = self._process = self._launch("rabbitmq-server")
        eventually(lambda: process.poll() is not None or answers(self.url), within=SECONDS_TO_START, pause=0.1)
        if process.poll() is not None:
            raise EndedAtOnce((self._folder / "output").read_text(errors="replace")[-2000:])

    def kill(self) -> None:
        """Give it no chance to do anything more."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def freeze(self) -> None:
        """Have it stand still, its connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """End it, and leave nothing behind."""
        self.thaw()
        self.kill()
        if self._names is not None:
            self._names.kill()
            self._names.wait()

    def ask(self, *command: str) -> str:
        """Run a command of rabbitmqctl's, and return what it prints."""
        asked = [self._program("rabbitmqctl"), "--quiet", *command]
        told: str = subprocess.check_output(
            asked, env=self._environment, cwd=self._folder, encoding="utf-8", **self._as_user
        )
        return told

    def vhost(self) -> str:
        """Return the URL of a virtual host of one's own, with nothing in it."""
        name = uuid4().hex[:8]
        self.ask("add_vhost", name)
        self.ask("set_permissions", "--vhost", name, "guest", ".*", ".*", ".*")
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
        found = shutil.which(name, path=PROGRAMS)
        assert found is not None, name
        return found

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


class Exchange:
    """What a test has declared under a prefix of its own, on a broker that it shares."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url, self.prefix, self.names = url, prefix, Names(prefix)
        self._connection = dial(url)
        declare(self._connection, self.names)
        self.channel = self._connection.channel()
        self._queues = [self.names.unrouted, self.names.stream]

    def broker(self, url: str | None = None, **options: Any) -> RabbitMq:
        """Return the adapter that publishes here, through another address if one is given."""
        return RabbitMq(url or self.url, prefix=self.prefix, **options)

    def bind(self, key: str = "#", arguments: dict[str, Any] | None = None) -> str:
        """Declare a durable queue for what has this routing key, and return its name."""
        name = f"{self.prefix}.{uuid4().hex[:8]}"
        self.channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
        self.channel.queue_bind(name, self.names.events, key)
        self._queues.append(name)
        return name

    def delete_queue(self, name: str) -> None:
        """Have nothing go there any more."""
        self.channel.queue_delete(name)

    def take(self, queue: str) -> list[Any]:
        """Take every message out of a queue."""
        return list(iter(lambda: self.channel.basic_get(queue, no_ack=True), None))

    def close(self) -> None:
        """Leave nothing on the broker."""
        for queue in self._queues:
            self.channel.queue_delete(queue)
        for name in (self.names.events, self.names.unrouted):
            self.channel.exchange_delete(name)
        self._connection.close()


@contextmanager
def exchange_on(url: str) -> Iterator[Exchange]:
    """Lend an exchange of a test's own."""
    exchange = Exchange(url, f"test-{uuid4().hex[:8]}")
    try:
        yield exchange
    finally:
        exchange.close()


class Consumer:
    """Reads a durable queue of everything, comes back from lost connections, and knows an event again by its id."""

    def __init__(self, url: str, names: Names) -> None:
        self._url = url
        self._queue = f"{names.prefix}.consumer"
        self.events: dict[str, dict[str, Any]] = {}
        self.checkpoints: dict[str, dict[str, Any]] = {}
        self.repeated = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consumer")
        connection = dial(url)
        declare(connection, names)
        channel = connection.channel()
        channel.queue_declare(self._queue, durable=True, auto_delete=False)
        channel.queue_bind(self._queue, names.events, "#")
        connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(Exception):  # a broker that dies raises whatever py-amqp stumbles over: it is dialed again
                self._read()
            self._over.wait(0.1)

    def _read(self) -> None:
        connection = dial(self._url)
        try:
            channel = connection.channel()
            channel.basic_qos(0, 500, a_global=False)
            channel.basic_consume(self._queue, callback=lambda message: self._note(channel, message))
            while not self._over.is_set():
                with suppress(TimeoutError):
                    connection.drain_events(timeout=0.2)
        finally:
            connection.collect()

    def _note(self, channel: Any, message: Any) -> None:
        event = json.loads(message.body)
        known = self.checkpoints if event["type"] == CHECKPOINT else self.events
        self.repeated += event["id"] in self.events
        known.setdefault(event["id"], event)
        channel.basic_ack(message.delivery_tag)
