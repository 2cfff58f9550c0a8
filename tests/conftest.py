"""What tests share: a Postgres server for the whole run, and for each test a database and a service of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
from contextlib import ExitStack, contextmanager
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
from api import bootstrap
from api.config import Settings
from api.http.doors import with_request_id
from api.signing_keys import SigningKeys
from tests.api.callers import Doors
from tests.people import Company
from tests.postgres import Databases, copy_of, embedded, for_service, start, stop_leftover, template
from tests.receiver import receiving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.receiver import Receiver


SERVER_FOLDER = pytest.StashKey[Path]()
SERVER = pytest.StashKey[EmbeddedPostgres]()
"""Held on to until the end: another worker may go on using the process that this one started."""

EXTERNAL_SERVER = "SUBUSERS_TEST_DATABASE_URL"
"""Names a server to use instead of the embedded one; its user must be allowed to create databases and roles."""


def pytest_configure(config: pytest.Config) -> None:
    """Choose the folder of the run's server; pytest-xdist's workers use that of the process they were started by."""
    # A slow machine is no failure.
    hypothesis_settings.register_profile("patient", hypothesis_settings(), deadline=None)
    hypothesis_settings.load_profile("patient")
    shared = getattr(config, "workerinput", {}).get("server_folder")
    config.stash[SERVER_FOLDER] = Path(shared or tempfile.mkdtemp(prefix="subusers-tests-"))
    config.stash[SERVER_FOLDER].chmod(0o711)  # as root, the server runs as somebody else


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist which folder that is."""
    node.workerinput["server_folder"] = str(node.config.stash[SERVER_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    folder = config.stash.get(SERVER_FOLDER, None)
    if folder is not None and not hasattr(config, "workerinput"):
        stop_leftover(folder)
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/processes/", "tests/adapters/test_embedded_")))


@pytest.fixture(scope="session", autouse=True)
def _brief_logs() -> None:
    """Have exceptions logged without the values of all variables: of a deep recursion those take minutes to print."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[with_request_id, structlog.stdlib.add_log_level, renderer])


@pytest.fixture(scope="session")
def server_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """Lend the run's server: the first worker to need it starts it, the last to leave stops it."""
    if external := os.environ.get(EXTERNAL_SERVER):
        yield external
        return
    server = pytestconfig.stash[SERVER] = embedded(pytestconfig.stash[SERVER_FOLDER])
    yield start(server)
    server.stop()


@pytest.fixture(scope="session")
def migrated_template(server_url: str) -> str:
    """Name the database that every test's own is copied from."""
    return template(server_url)


@pytest.fixture(scope="session")
def databases(server_url: str, migrated_template: str) -> Iterator[Databases]:
    """Give what lends each test a database of its own."""
    databases = Databases(server_url, migrated_template)
    yield databases
    databases.close()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """Lend a database that is up to date and empty."""
    with databases.lend() as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """Lend a database with nothing in it at all."""
    with copy_of(server_url, None) as url:
        yield url


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Give the settings of a service on the test's own database."""
    return settings_on(database_url, tmp_path)


def settings_on(database_url: str, data_dir: Path) -> Settings:
    """Return the settings of a service on a database, whose URL is its owner's."""
    return Settings(
        embedded=False,
        database_url=for_service(database_url),
        admin_database_url=database_url,
        smtp_url=None,
        mail_from="no-reply@portal.example",
        master_keys=(secrets.token_bytes(32),),
        signing_keys=SigningKeys((secrets.token_bytes(32),)),
        data_dir=data_dir,
        host="127.0.0.1",
        port=8000,
        public_url="https://portal.example",
        processes=1,
        threads=16,
        cores=2,
    )


class TravelingClock:
    """The present time, moved by as much as a test likes."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._stopped_at: datetime | None = None

    def __call__(self) -> datetime:
        """Tell the time."""
        return (self._stopped_at or datetime.now(UTC)) + self._ahead

    def advance(self, **by: float) -> None:
        """Move on, by `seconds`, `minutes`, `hours` or `days`."""
        self._ahead += timedelta(**by)

    def stand_still(self) -> None:
        """Move by nothing but `advance` from now on, so that it does not matter how long anything really takes."""
        self._stopped_at = self._stopped_at or datetime.now(UTC)


@pytest.fixture
def clock() -> TravelingClock:
    """Give the clock that the test's services go by."""
    return TravelingClock()


class QuickHasher(PasswordHasher):
    """Hashes as the service does, with a thousandth of the work."""

    def __init__(self, **_: Any) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare tests the work that is to slow attackers down. What passwords cost is tested with the passwords."""
    monkeypatch.setattr(passwords, "PasswordHasher", QuickHasher)


@pytest.fixture
def build(settings: Settings, clock: TravelingClock, quick_hashes: None) -> Iterator[Callable[..., bootstrap.Service]]:
    """Give a function that builds services on the test's database, as so many processes would; all are closed after."""
    with ExitStack() as stack:

        def build_one(its_settings: Settings = settings) -> bootstrap.Service:
            service = bootstrap.build(its_settings, clock)
            stack.callback(service.close)
            return service

        yield build_one


@pytest.fixture
def service(build: Callable[..., bootstrap.Service]) -> bootstrap.Service:
    """Give a service on the test's database. No follower runs unless `followers` is asked for as well."""
    return build()


@contextmanager
def following(service: bootstrap.Service) -> Iterator[None]:
    """Have a service's followers run."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=follower.run, args=[stop], name=follower.view.name) for follower in service.followers
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        service.signals.signal()  # they look up at once
        for thread in threads:
            thread.join()


@pytest.fixture
def followers(service: bootstrap.Service) -> Iterator[None]:
    """Have the service's followers run during the test."""
    with following(service):
        yield


@pytest.fixture(scope="session")
def doors(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Give the doors of one service, its followers running, to all tests that are content with an account of their own.

    A database of one's own takes half a second; a test that moves the clock or harms the database uses `own_doors`.
    """
    with copy_of(server_url, migrated_template) as url:
        with patch.object(passwords, "PasswordHasher", QuickHasher):
            service = bootstrap.build(settings_on(url, tmp_path_factory.mktemp("doors")))
        with opened_doors(service) as doors:
            yield doors


@contextmanager
def opened_doors(service: bootstrap.Service) -> Iterator[Doors]:
    """Lend the doors of a service, its followers running, and close it after."""
    try:
        with following(service):
            yield Doors.of(service)
    finally:
        service.close()


@pytest.fixture
def own_doors(service: bootstrap.Service, followers: None) -> Doors:
    """Give the doors of a service of the test's own, on a database and a clock of its own."""
    return Doors.of(service)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a receiver of webhooks on this machine, to which a service sends that is allowed to."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def company(service: bootstrap.Service) -> Company:
    """Give a company that has just registered its main account."""
    return Company.register(service)
