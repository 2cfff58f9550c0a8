"""Public interface of the embedded server: start, use, stop."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from adapters.embedded_postgres.binaries import usable_binaries
from adapters.embedded_postgres.cluster import create_cluster, create_database
from adapters.embedded_postgres.errors import EmbeddedPostgresError
from adapters.embedded_postgres.home import find_home, has_cluster, write_pointer
from adapters.embedded_postgres.launch import DEFAULT_MAX_CONNECTIONS, Launch
from adapters.embedded_postgres.locks import Presence, exclusive_lock
from adapters.embedded_postgres.os_user import os_user_for
from adapters.embedded_postgres.postmaster import find_running
from adapters.embedded_postgres.session import service_url, url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from adapters.embedded_postgres.home import Home
    from adapters.embedded_postgres.os_user import OsUser
    from adapters.embedded_postgres.postmaster import Postmaster

# Folder for files of root's server that the unprivileged user cannot reach otherwise. Only root can write to
# /var/lib, and files stay there. In /var/tmp another user could create the folder first, and old files are deleted.
FALLBACK_FOLDER: Final = Path("/var/lib/subusers")


class EmbeddedPostgres:
    """A private PostgreSQL server with its data in a folder.

    Several processes can use the same folder: the first one starts the server, the others connect to it, and the last
    one stops it. If that process was killed, the server still runs, and the next process connects to it. If the process
    is root, the server runs as `postgres` or `nobody`. If that user cannot reach the folder or the binaries, they are
    placed in `fallback_folder`, to which only root can write (see `find_home`). `location` is the folder in use.

    Unless `durable`, a crash of the machine can lose the data: for data that nobody needs afterwards.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fallback_folder: Path = FALLBACK_FOLDER,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        durable: bool = True,
    ) -> None:
        self._folder = folder.resolve()
        self._fallback_folder = fallback_folder.resolve()
        self._max_connections = max_connections
        self._durable = durable
        self._presence = Presence()
        self._home: Home | None = None
        self._started: Postmaster | None = None

    @property
    def location(self) -> Path:
        """Folder with data, log and password: the requested one, unless `start` had to choose another."""
        return self._folder if self._home is None else self._home.folder

    def exists(self) -> bool:
        """Return whether the server's cluster exists. Creates nothing. Raises `EmbeddedPostgresError`."""
        with self._errors_translated():
            return has_cluster(self._folder)

    def start(self) -> str:
        """Start the server if it is not running, and return the database URL of the owner's role, with its password.

        The cluster and the database `subusers` are created on first use. Raises `EmbeddedPostgresError`.
        """
        with self._errors_translated():
            self._home = find_home(self._folder, self._fallback_folder)
            with exclusive_lock(self._home.lock):
                self._presence.enter(self._home.users)
                try:
                    return self._ensure_running(self._home)
                except BaseException:
                    self._leave(self._home)
                    raise

    @property
    def service_url(self) -> str:
        """Database URL of the running service's role. Raises `EmbeddedPostgresError` before `start`."""
        if self._home is None or (port := self._home.remembered_port()) is None:
            raise EmbeddedPostgresError("PostgreSQL was not started")
        return service_url(port, self._home.password())

    def stop(self) -> None:
        """Stop using the server, and shut it down if no other process uses it. Do nothing before `start`.

        Raises `EmbeddedPostgresError` if the server does not stop.
        """
        if self._home is None:
            return
        with self._errors_translated(), exclusive_lock(self._home.lock):
            self._leave(self._home)

    def __enter__(self) -> str:
        """Start the server, and return the database URL of the owner's role."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def _ensure_running(self, home: Home) -> str:
        os_user = os_user_for(home.data_directory)
        password = home.password()
        server = find_running(home, os_user, password)
        if server is None:
            server = self._launch(home, os_user, password)
            if self._started is not None:
                self._started.has_ended()  # reaps it: it has ended, otherwise the new server could not have started
            self._started = server
        create_database(server.port, password)
        return url(server.port, password)

    def _launch(self, home: Home, os_user: OsUser, password: str) -> Postmaster:
        if not os_user.can_enter(home.folder):
            raise EmbeddedPostgresError(f"{os_user.name}, which PostgreSQL has to run as, cannot reach {home.folder}")
        binaries = usable_binaries(os_user, self._fallback_folder)
        home.clear_unfinished()
        home.write_access_rules()
        if not home.data_directory.exists():
            create_cluster(home, os_user, binaries, password, durable=self._durable)
        write_pointer(self._folder, home)
        return Launch(home, os_user, binaries, password, self._max_connections, durable=self._durable).run()

    def _leave(self, home: Home) -> None:
        if not self._presence.leave():
            return
        server = self._started
        if server is None or server.has_ended():
            server = find_running(home, os_user_for(home.data_directory), home.password())
        if server is not None:
            server.stop()
        self._started = None

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        """Translate exceptions to `EmbeddedPostgresError`, with one line about the folder."""
        try:
            yield
        except OSError as error:
            reason = f"{error.strerror}: {error.filename}" if error.filename else str(error)
            raise EmbeddedPostgresError(f"PostgreSQL cannot run in {self._folder}: {reason}") from error
        except (psycopg.Error, subprocess.SubprocessError) as error:
            raise EmbeddedPostgresError(f"PostgreSQL cannot run in {self._folder}: {error}") from error
