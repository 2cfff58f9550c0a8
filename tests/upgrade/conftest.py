"""The recorded store in a database with the current schema, and services on copies of it."""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from typer.testing import CliRunner

from adapters.postgres.maintenance.migrations import migrate
from api.bootstrap import composition_root
from api.bootstrap.signing_keys import SigningKeys
from api.bootstrap.testing.followers import running_followers
from api.cli.program import app
from api.flask_application import create_app
from tests.conftest import settings_on
from tests.postgres import connect, database_copy, service_role
from tests.upgrade import store_story
from tests.upgrade.exchanges import in_process
from tests.upgrade.recording import read_recorded
from tests.webhooks import allow_local_receivers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.upgrade.exchanges import Response, Send


class StoppedClock:
    """Clock that starts at the time of recording, and moves only when the test advances it."""

    def __init__(self, now: datetime) -> None:
        self._start = self._now = now

    def __call__(self) -> datetime:
        return self._now

    def reset(self) -> None:
        """Show the time of recording again."""
        self._now = self._start

    def advance(self, **by: float) -> None:
        """Advance by `minutes`, `hours` or `days`."""
        self._now += timedelta(**by)


LEGAL_HOLD = timedelta(days=30)
"""The legal hold of the recorded service."""


@dataclass(frozen=True)
class FormerStore:
    """A copy of the recorded store, a service on it at the time of recording, and the recorded secrets."""

    url: str
    service: Service
    clock: StoppedClock
    send: Send
    secrets: dict[str, Any]

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Response:
        """Send a request as the recorded story did."""
        return store_story.ask(self.send, self.secrets["keys"], method, path, body, **options)

    def path(self, name: str) -> str:
        """Return the path of an account, a sub-user or a webhook of the story."""
        path: str = self.secrets["paths"][name]
        return path

    def id(self, name: str) -> UUID:
        """Return the id of an account, a sub-user or a webhook of the story."""
        return UUID(self.path(name).rpartition("/")[2])

    def credentials(self, name: str) -> dict[str, str]:
        """Return the credentials of a sub-user with a password of their own."""
        email = f"{name}@company.example"
        return {"account_email": store_story.OWNER, "email": email, "password": store_story.OWN_PASSWORD}


@pytest.fixture(scope="session")
def secrets() -> dict[str, Any]:
    """The keys, tokens and paths of the recorded store."""
    secrets: dict[str, Any] = json.loads(read_recorded("test_only_secrets.json"))
    return secrets


@pytest.fixture(scope="session")
def migrated_store(server_url: str, migrated_template: str) -> Iterator[str]:
    """Name of a database into which the recorded store was restored, with all migrations since."""
    with database_copy(server_url, None) as url:
        with connect(url) as connection:
            connection.execute(read_recorded("store.sql.gz").encode())
            migrate(connection, service_role(url))
        yield urlsplit(url).path.strip("/")


@contextmanager
def former_store(server_url: str, name: str, secrets: dict[str, Any], folder: Path) -> Iterator[FormerStore]:
    """Yield a copy of the migrated store, with a service whose followers run and whose clock stands still."""
    with database_copy(server_url, name) as url, ExitStack() as stack:
        settings = former_settings(settings_on(url, folder), secrets)
        clock = StoppedClock(datetime.fromisoformat(secrets["recorded_at"]))
        service = composition_root.build(settings, clock)
        stack.callback(service.close)
        stack.enter_context(running_followers(service))
        yield FormerStore(url, service, clock, in_process(create_app(service)), secrets)


def former_settings(settings: Settings, secrets: dict[str, Any]) -> Settings:
    """Return the settings with the keys of the recorded store."""
    return replace(
        allow_local_receivers(settings),
        master_keys=(base64.b64decode(secrets["master_key"]),),
        signing_keys=SigningKeys.parse(secrets["signing_key"]),
        erasure_delay=LEGAL_HOLD,
    )


@pytest.fixture
def store(server_url: str, migrated_store: str, secrets: dict[str, Any], tmp_path: Path) -> Iterator[FormerStore]:
    """A copy of the recorded store for one test."""
    with former_store(server_url, migrated_store, secrets, tmp_path) as store:
        yield store


@pytest.fixture(scope="session")
def store_of_worker(
    server_url: str, migrated_store: str, secrets: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FormerStore]:
    """A copy of the recorded store for several tests, because copying takes longer than most of them."""
    with former_store(server_url, migrated_store, secrets, tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def shared_store(store_of_worker: FormerStore) -> FormerStore:
    """A copy for tests that each change different sub-users of the story. Its clock shows the time of recording."""
    store_of_worker.clock.reset()
    return store_of_worker


@pytest.fixture
def run(shared_store: FormerStore, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a command on the shared copy, and returns its exit code and output."""
    settings = shared_store.service.settings
    monkeypatch.setenv("SUBUSERS_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("SUBUSERS_MASTER_KEY", shared_store.secrets["master_key"])
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", shared_store.secrets["signing_key"])
    monkeypatch.setenv("SUBUSERS_DATA_DIR", str(settings.data_dir))

    return run_command


@pytest.fixture
def run_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a command without database and keys."""
    for name in ("DATABASE_URL", "MASTER_KEY", "SIGNING_KEY"):
        monkeypatch.delenv(f"SUBUSERS_{name}", raising=False)
    monkeypatch.setenv("SUBUSERS_DATA_DIR", str(tmp_path))
    return run_command


def run_command(*arguments: object) -> tuple[int, str]:
    """Run a command in this process; return its exit code and its stdout."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout
