"""Where the server's files are, and what is kept in them between one run and the next."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.embedded_postgres.account import account_for
from adapters.embedded_postgres.errors import EmbeddedPostgresError

# In the folder that was asked for, when its files had to be put elsewhere: one line, their folder.
POINTER: Final = "files-are-in"

# How the names of files and folders begin that a crash may leave behind.
UNFINISHED: Final = "unfinished-"

ACCESS_RULES: Final = "# Written at every start.\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Home:
    """The folder that holds one cluster and everything about it."""

    folder: Path

    @property
    def data(self) -> Path:
        """Return the cluster. It exists only when complete, and is the one thing the server's account owns."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Return the server's log."""
        return self.folder / "server.log"

    @property
    def access_rules(self) -> Path:
        """Return the server's pg_hba.conf."""
        return self.folder / "pg_hba.conf"

    @property
    def lock(self) -> Path:
        """Return the file locked by whoever starts or stops the server."""
        return self.folder / "lock"

    @property
    def users(self) -> Path:
        """Return the file locked by all who use the server."""
        return self.folder / "users"

    @property
    def password_file(self) -> Path:
        """Return the file with the generated password."""
        return self.folder / "password"

    @property
    def port_file(self) -> Path:
        """Return the file with the port of last time."""
        return self.folder / "port"

    def password(self) -> str:
        """Return the password, generated at first use.

        Raises `EmbeddedPostgresError` when it is lost, since another would not open the data.
        """
        if self.password_file.exists():
            return self.password_file.read_text().strip()
        if self.data.exists():
            raise EmbeddedPostgresError(f"{self.password_file} is missing: {self.data} cannot be opened without it")
        password = secrets.token_urlsafe(32)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix=UNFINISHED, delete=False) as file:
            file.write(password)  # the file is created with mode 0600
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self.password_file)
        return password

    def clear_unfinished(self) -> None:
        """Remove what was left behind by somebody killed while creating the cluster.

        An `initdb` that still runs for him resists: what it goes on to write is removed the next time.
        """
        for path in self.folder.glob(f"{UNFINISHED}*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def remembered_port(self) -> int | None:
        """Return the port of last time, None at first or if it cannot be made out."""
        with suppress(FileNotFoundError, ValueError):
            return int(self.port_file.read_text())
        return None

    def remember_port(self, port: int) -> None:
        """Keep the port for the next start."""
        self.port_file.write_text(f"{port}\n")

    def write_access_rules(self) -> None:
        """Put the access rules where the server's account can read them, but not change them."""
        if not self.access_rules.exists() or self.access_rules.read_text() != ACCESS_RULES:
            self.access_rules.write_text(ACCESS_RULES)
            self.access_rules.chmod(0o644)


def find_home(folder: Path, elsewhere: Path) -> Home:
    """Return the home for the folder that was asked for, made if need be.

    It is the folder itself, unless we are root and the unprivileged account cannot get there (as below a /root
    closed to others). Then it is a subfolder of `elsewhere` named after the folder, and a pointer file says so.
    Raises `EmbeddedPostgresError` when the pointer leads nowhere: an empty cluster must not pass for the lost one.
    """
    pointer = folder / POINTER
    if pointer.exists():
        home = Home(Path(pointer.read_text().strip()))
        if not home.data.exists():
            raise EmbeddedPostgresError(f"{home.data} is gone: put it back, or delete {pointer} to begin anew")
        return home
    make_folder(folder)
    home = Home(folder)
    if home.data.exists() or account_for(home.data).can_enter(folder):
        return home
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    home = Home(elsewhere / f"postgres-{digest}")
    make_folder(elsewhere)
    make_folder(home.folder)
    return home


def leave_pointer(folder: Path, home: Home) -> None:
    """Say in the folder where its files are, unless they are there."""
    pointer = folder / POINTER
    if home.folder != folder and not pointer.exists():
        pointer.write_text(f"{home.folder}\n")


def make_folder(folder: Path) -> None:
    """Make a folder of ours, and its parents: closed to others, as root open for the server's account to pass."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
