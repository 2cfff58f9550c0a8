"""Fixtures that run the service as real processes, on a copy of the test run's database."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.postgres.maintenance.migrations import migrate
from tests.clusters import Cluster, clusters_folder
from tests.postgres import connect, database_copy, service_role_url
from tests.processes.deployment import Deployment, deployed, master_key, traversable_folder
from tests.processes.portal import Portal
from tests.rabbitmq import OwnBroker, own_broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class RunningService:
    """A running service and a portal client."""

    deployment: Deployment
    database_url: str = field(repr=False)
    api_key: str = field(repr=False)
    portal: Portal


class SharedService:
    """Service of two server processes and one worker, shared by the tests, that writes mails to files."""

    def __init__(self, server_url: str, template: str, folder: Path) -> None:
        self._server_url = server_url
        self._template = template
        self._folder = folder
        self._stack = ExitStack()
        self._running: RunningService | None = None

    def start(self) -> RunningService:
        """Start the service, unless it runs, and return it."""
        if self._running is None:
            url = self._stack.enter_context(database_copy(self._server_url, self._template))
            urls = {"database_url": service_role_url(url), "admin_database_url": url}
            deployment = self._stack.enter_context(deployed(self._folder, **urls, master_key=master_key()))
            deployment.serve("api", "work")
            api_key = deployment.api_key()
            portal = self._stack.enter_context(Portal(deployment.url, api_key))
            self._running = RunningService(deployment, url, api_key, portal)
        return self._running

    def end(self) -> None:
        """End the service if it runs."""
        self._running = None
        self._stack.close()


SHARED_SERVICE = pytest.StashKey[SharedService]()


@pytest.fixture(scope="session")
def shared_service(
    server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[SharedService]:
    """Return the shared service, which starts at its first use."""
    service = SharedService(server_url, migrated_template, tmp_path_factory.mktemp("service"))
    pytestconfig.stash[SHARED_SERVICE] = service
    yield service
    service.end()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the shared service before the worker runs other tests: its jobs use CPU time even without requests."""
    if nextitem is None or not nextitem.path.is_relative_to(FOLDER):
        service = item.config.stash.get(SHARED_SERVICE, None)
        if service is not None:
            service.end()


@pytest.fixture
def running_service(shared_service: SharedService) -> RunningService:
    """Return the shared service, started if necessary."""
    return shared_service.start()


@pytest.fixture
def deploy(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Return a function that configures a deployment on the test's own database; teardown ends its programs."""
    urls = {"database_url": service_role_url(database_url), "admin_database_url": database_url}
    with deployed(tmp_path, **urls, master_key=master_key()) as deployment:

        def configure(**settings: str) -> Deployment:
            deployment.environment.update({f"SUBUSERS_{name.upper()}": value for name, value in settings.items()})
            return deployment

        yield configure


@pytest.fixture(scope="session")
def broker() -> Iterator[OwnBroker]:
    """Run a RabbitMQ server, shared by the tests. A test that breaks it must restore it."""
    with own_broker() as broker:
        yield broker


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that other users may traverse: under root, embedded PostgreSQL runs as another user."""
    with traversable_folder() as folder:
        yield folder


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Run a database server with an empty, migrated database, which the test may freeze, kill and replace."""
    with clusters_folder() as folder:
        cluster = Cluster(folder / "cluster")
        try:
            cluster.create()
            with connect(cluster.url) as connection:
                migrate(connection)
            yield cluster
        finally:
            cluster.stop()
