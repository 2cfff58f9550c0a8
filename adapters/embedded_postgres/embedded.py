"""The embedded server as its users see it: start, use, stop."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from adapters.embedded_postgres.account import account_for
from adapters.embedded_postgres.binaries import usable_binaries
from adapters.embedded_postgres.cluster import create_cluster, create_database
from adapters.embedded_postgres.errors import EmbeddedPostgresError
from adapters.embedded_postgres.home import find_home, leave_pointer
from adapters.embedded_postgres.launch import Launch
from adapters.embedded_postgres.locks import Presence, alone
from adapters.embedded_postgres.postmaster import find_running
from adapters.embedded_postgres.session import service_url, url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from adapters.embedded_postgres.account import Account
    from adapters.embedded_postgres.home import Home
    from adapters.embedded_postgres.postmaster import Postmaster

# Where root puts what the unprivileged account cannot reach. Only root can write to /var/lib, and nothing cleans
# it up, unlike /var/tmp, where anybody could be there first and old files are deleted.
ELSEWHERE: Final = Path("/var/lib/subusers")


class EmbeddedPostgres:
    """A PostgreSQL server of our own, with its data in a folder.

    Several processes may use one folder: the first starts the server, the others find it running, and the last to
    leave stops it. A server that outlived its users is found running too. Root's server runs as `postgres` or
    `nobody`; if that account cannot reach the folder, or the binaries, they are put in `elsewhere`, a folder
    that only root may write to (see `find_home`; `location` says where the data are).
    """

    def __init__(self, folder: Path, *, elsewhere: Path = ELSEWHERE) -> None:
        self._folder = folder.resolve()
        self._elsewhere = elsewhere.resolve()
        self._presence = Presence()
        self._home: Home | None = None
        self._started: Postmaster | None = None

    @property
    def location(self) -> Path:
        """Return the folder that holds data, log and password: the one asked for, unless starting chose another."""
        return self._folder if self._home is None else self._home.folder

    def start(self) -> str:
        """Make sure that the server runs, and return the URL of its database for its owner, with the password.

        The cluster and the database `subusers` are created at first use. Raises `EmbeddedPostgresError`.
        """
        with self._errors_translated():
            self._home = find_home(self._folder, self._elsewhere)
            with alone(self._home.lock):
                self._presence.enter(self._home.users)
                try:
                    return self._ensure_running(self._home)
                except BaseException:
                    self._leave(self._home)
                    raise

    @property
    def service_url(self) -> str:
        """Return the URL for the running service, whose role owns nothing, once the server was started."""
        if self._home is None or (port := self._home.remembered_port()) is None:
            raise EmbeddedPostgresError("PostgreSQL was not started")
        return service_url(port, self._home.password())

    def stop(self) -> None:
        """Stop using the server, which stops it unless others use it. Harmless when it was not started.

        Raises `EmbeddedPostgresError` when it does not stop.
        """
        if self._home is None:
            return
        with self._errors_translated(), alone(self._home.lock):
            self._leave(self._home)

    def __enter__(self) -> str:
        """Start the server; return the URL of its database."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def _ensure_running(self, home: Home) -> str:
        account = account_for(home.data)
        password = home.password()
        server = find_running(home, account, password)
        if server is None:
            server = self._launch(home, account, password)
            if self._started is not None:
                self._started.has_ended()  # asked only to reap it: it has, or the new one would not have started
            self._started = server
        create_database(server.port, password)
        return url(server.port, password)

    def _launch(self, home: Home, account: Account, password: str) -> Postmaster:
        if not account.can_enter(home.folder):
            raise EmbeddedPostgresError(f"{account.name}, which PostgreSQL has to run as, cannot reach {home.folder}")
        binaries = usable_binaries(account, self._elsewhere)
        home.clear_unfinished()
        home.write_access_rules()
        if not home.data.exists():
            create_cluster(home, account, binaries, password)
        leave_pointer(self._folder, home)
        return Launch(home, account, binaries, password).run()

    def _leave(self, home: Home) -> None:
        if not self._presence.leave():
            return
        server = self._started
        if server is None or server.has_ended():
            server = find_running(home, account_for(home.data), home.password())
        if server is not None:
            server.stop()
        self._started = None

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        """Turn what goes wrong below into one line about the folder."""
        try:
            yield
        except OSError as error:
            reason = f"{error.strerror}: {error.filename}" if error.filename else str(error)
            raise EmbeddedPostgresError(f"PostgreSQL cannot run in {self._folder}: {reason}") from error
        except (psycopg.Error, subprocess.SubprocessError) as error:
            raise EmbeddedPostgresError(f"PostgreSQL cannot run in {self._folder}: {error}") from error
