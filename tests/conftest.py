"""Shared fixtures: one PostgreSQL server per run, one database and one service per test."""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import tempfile
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import settings as hypothesis_settings

from adapters import passwords
from adapters.embedded_postgres import EmbeddedPostgres
from api.bootstrap import composition_root
from api.bootstrap.config import Settings
from api.bootstrap.signing_keys import SigningKeys
from api.bootstrap.testing.followers import running_followers
from api.http import refusal_timing
from api.http.authentication import add_request_id
from api.http.refusal_timing import REFUSAL_INTERVAL_SECONDS
from api.server.response_timing import arrived_at
from api.server.server_process import ALLOCATIONS_BETWEEN_COLLECTIONS
from projections.runtime import projection_follower
from tests.api.clients import METRICS_TOKEN, ApiClients
from tests.builders import Company
from tests.postgres import (
    Databases,
    database_copy,
    embedded_server,
    service_role_url,
    stop_leftover,
    template_database,
)
from tests.receiver import receiving
from tests.row_order import rows_in_random_order

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from wsgiref.types import WSGIEnvironment

    from api.bootstrap.service import Service
    from tests.receiver import Receiver


SERVER_FOLDER = pytest.StashKey[Path]()
SERVER = pytest.StashKey[EmbeddedPostgres]()
"""A reference until the session ends, because other workers may use the server that this worker started."""

POLL_SECONDS = 1.0
"""How often the followers of the shared service poll. It is idle most of the time, and NOTIFY wakes them anyway."""

EXTERNAL_SERVER = "SUBUSERS_TEST_DATABASE_URL"
"""Environment variable with the URL of a server to use instead of the embedded one.

Its user must be allowed to create databases and roles.
"""


def pytest_configure(config: pytest.Config) -> None:
    """Choose the folder of the run's server; pytest-xdist workers use the folder of their controller."""
    # Deadlines of single examples would fail on slow machines.
    hypothesis_settings.register_profile("without-deadlines", hypothesis_settings(), deadline=None)
    hypothesis_settings.load_profile("without-deadlines")
    folder_of_controller = getattr(config, "workerinput", {}).get("server_folder")
    config.stash[SERVER_FOLDER] = Path(folder_of_controller or tempfile.mkdtemp(prefix="subusers-tests-"))
    config.stash[SERVER_FOLDER].chmod(0o711)  # as root, the server runs under another account


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the server's folder to a pytest-xdist worker."""
    node.workerinput["server_folder"] = str(node.config.stash[SERVER_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server and remove its folder."""
    folder = config.stash.get(SERVER_FOLDER, None)
    if folder is not None and not hasattr(config, "workerinput"):
        stop_leftover(folder)
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Distribute the tests that start processes evenly, at the beginning of each worker's share.

    pytest-xdist gives each worker an equal slice of the list and then balances the rest (`--dist=worksteal`).
    """
    slow_folders = ("tests/processes/", "tests/browser/", "tests/testing/", "tests/adapters/test_embedded_")
    slow = [item for item in items if item.nodeid.startswith(slow_folders)]
    quick = [item for item in items if not item.nodeid.startswith(slow_folders)]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = [
        item
        for worker in range(workers)
        for group in (slow, quick)
        for item in group[worker * len(group) // workers : (worker + 1) * len(group) // workers]
    ]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without garbage collection, and exclude the collected objects from later garbage collections.

    Almost all of them live until the end, and each full collection would scan them. The threshold is that of the server
    processes.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _random_order_of_rows() -> Iterator[None]:
    """Let no test depend on the order of rows that a statement does not order."""
    with rows_in_random_order():
        yield


@pytest.fixture(scope="session", autouse=True)
def _log_tracebacks_without_locals() -> None:
    """Log exceptions without local variables: printing them takes minutes after a deep recursion."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[add_request_id, structlog.stdlib.add_log_level, renderer])


@pytest.fixture(autouse=True)
def _skip_refusal_delay(request: pytest.FixtureRequest) -> Iterator[None]:
    """Answer refused logins without delay, except in tests that use `refusals_delayed`."""
    seconds = REFUSAL_INTERVAL_SECONDS if "refusals_delayed" in request.fixturenames else 0.001
    # `monkeypatch` would outlive the test's other fixtures.
    with patch.object(refusal_timing, "REFUSAL_INTERVAL_SECONDS", seconds):
        yield


@pytest.fixture
def refusals_delayed() -> None:
    """Delay refused logins as in production."""


@pytest.fixture
def delays(refusals_delayed: None, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the delay of responses by a list of the delays, in seconds after the request's arrival."""
    delays: list[float] = []

    def record_delay(environ: WSGIEnvironment, respond_at: float) -> None:
        delays.append(respond_at - arrived_at(environ))

    monkeypatch.setattr(refusal_timing, "hold_response_until", record_delay)
    return delays


@pytest.fixture(scope="session")
def server_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """URL of the run's server. The first worker that needs it starts it; the last to finish stops it."""
    if external := os.environ.get(EXTERNAL_SERVER):
        yield external
        return
    server = pytestconfig.stash[SERVER] = embedded_server(pytestconfig.stash[SERVER_FOLDER])
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def migrated_template(server_url: str) -> str:
    """Name of the migrated database from which each test's database is copied."""
    return template_database(server_url)


@pytest.fixture(scope="session")
def databases(server_url: str, migrated_template: str) -> Iterator[Databases]:
    """Pool of test databases."""
    databases = Databases(server_url, migrated_template)
    yield databases
    databases.close()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """URL of a migrated, empty database."""
    with databases.lend() as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """URL of a database without any tables."""
    with database_copy(server_url, None) as url:
        yield url


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a service on the test's database."""
    return settings_on(database_url, tmp_path)


def settings_on(database_url: str, data_dir: Path) -> Settings:
    """Return the settings of a service on a database, given the URL for the database's owner."""
    return Settings(
        embedded=False,
        database_url=service_role_url(database_url),
        admin_database_url=database_url,
        smtp_url=None,
        mail_from="no-reply@portal.example",
        master_keys=(secrets.token_bytes(32),),
        signing_keys=SigningKeys((secrets.token_bytes(32),)),
        data_dir=data_dir,
        host="127.0.0.1",
        port=8000,
        public_url="https://portal.example",
        server_processes=1,
        threads=16,
        cores=2,
        metrics_token=METRICS_TOKEN,
    )


class TravelingClock:
    """Clock that shows the current time plus an offset set by the test."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._stopped_at: datetime | None = None

    def __call__(self) -> datetime:
        return (self._stopped_at or datetime.now(UTC)) + self._offset

    def advance(self, **by: float) -> None:
        """Advance by `seconds`, `minutes`, `hours` or `days`."""
        self._offset += timedelta(**by)

    def freeze(self) -> None:
        """Stop the clock: from now on only `advance` moves it."""
        self._stopped_at = self._stopped_at or datetime.now(UTC)


@pytest.fixture
def clock() -> TravelingClock:
    """Clock shared by the test's services."""
    return TravelingClock()


class QuickHasher(PasswordHasher):
    """Argon2 hasher with minimal cost."""

    def __init__(self, **_: Any) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords at minimal cost. Tests of the real cost do not use this fixture."""
    monkeypatch.setattr(passwords, "PasswordHasher", QuickHasher)


@pytest.fixture
def build(settings: Settings, clock: TravelingClock, quick_hashes: None) -> Iterator[Callable[..., Service]]:
    """Factory for services on the test's database, one per simulated process. All are closed after the test."""
    with ExitStack() as stack:

        def build_service(service_settings: Settings = settings) -> Service:
            service = composition_root.build(service_settings, clock)
            stack.callback(service.close)
            return service

        yield build_service


@pytest.fixture
def service(build: Callable[..., Service]) -> Service:
    """Service on the test's database. Its followers run only if the test also uses `followers`."""
    return build()


@pytest.fixture
def followers(service: Service) -> Iterator[None]:
    """Run the service's followers for the duration of the test."""
    with running_followers(service):
        yield


@pytest.fixture(scope="session")
def clients(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClients]:
    """HTTP and console clients of one shared service with running followers, for tests that create their own account.

    Creating a database takes half a second. Tests that move the clock or damage the database use `own_clients`.
    """
    with (
        database_copy(server_url, migrated_template) as url,
        patch.object(projection_follower, "POLL_SECONDS", POLL_SECONDS),
    ):
        with patch.object(passwords, "PasswordHasher", QuickHasher):
            service = composition_root.build(settings_on(url, tmp_path_factory.mktemp("clients")))
        with open_clients(service) as clients:
            yield clients


@pytest.fixture(scope="session")
def service_pair(
    server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service]]:
    """Two services on one shared database, like two processes, for tests that register their own accounts."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(passwords, "PasswordHasher", QuickHasher))
        url = stack.enter_context(database_copy(server_url, migrated_template))
        settings = settings_on(url, tmp_path_factory.mktemp("services"))
        first, second = (stack.enter_context(closing(composition_root.build(settings))) for _ in range(2))
        yield first, second


@contextmanager
def open_clients(service: Service) -> Iterator[ApiClients]:
    """Yield clients of a service with running followers, and close the service afterwards."""
    try:
        with running_followers(service):
            yield ApiClients.of(service)
    finally:
        service.close()


@pytest.fixture
def own_clients(service: Service, followers: None) -> ApiClients:
    """Clients of a service with its own database and clock."""
    return ApiClients.of(service)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Webhook receiver on this machine. Settings from `allow_local_receivers` let a service send to it."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def company(service: Service) -> Company:
    """A company that has just registered its main account."""
    return Company.register(service)
