"""Folder of the server's files, and the state stored in them between runs."""

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

from adapters.embedded_postgres.errors import EmbeddedPostgresError
from adapters.embedded_postgres.os_user import os_user_for

# File in the requested folder that contains the path of the actual one, if the server's files had to be elsewhere.
POINTER: Final = "files-are-in"

# Name prefix of files and folders that a crash can leave behind.
UNFINISHED: Final = "unfinished-"

ACCESS_RULES: Final = "# Overwritten at every start.\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Home:
    """Folder with one cluster and its related files."""

    folder: Path

    @property
    def data_directory(self) -> Path:
        """Cluster folder. It exists only if complete.

        If this process is root, the server's user owns this folder and no other file or folder in the home.
        """
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Log of the server."""
        return self.folder / "server.log"

    @property
    def access_rules(self) -> Path:
        """Server's pg_hba.conf."""
        return self.folder / "pg_hba.conf"

    @property
    def lock(self) -> Path:
        """Lock file, held exclusively while the server is started or stopped."""
        return self.folder / "lock"

    @property
    def users(self) -> Path:
        """Lock file, held in shared mode by all users of the server."""
        return self.folder / "users"

    @property
    def password_file(self) -> Path:
        """File with the generated password."""
        return self.folder / "password"

    @property
    def port_file(self) -> Path:
        """File with the port of the last run."""
        return self.folder / "port"

    def password(self) -> str:
        """Return the password, which is generated on first use.

        Raises `EmbeddedPostgresError` if the password of an existing cluster is missing.
        """
        if self.password_file.exists():
            return self.password_file.read_text().strip()
        if self.data_directory.exists():
            raise EmbeddedPostgresError(
                f"{self.password_file} is missing: {self.data_directory} cannot be opened without it"
            )
        password = secrets.token_urlsafe(32)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix=UNFINISHED, delete=False) as file:
            file.write(password)  # the file is created with mode 0600
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self.password_file)
        return password

    def clear_unfinished(self) -> None:
        """Remove files left behind by a process that was killed while it created the cluster.

        If its `initdb` is still running, the files that it writes afterwards are removed the next time.
        """
        for path in self.folder.glob(f"{UNFINISHED}*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def remembered_port(self) -> int | None:
        """Return the port of the last run; None if there was none or the file is invalid."""
        with suppress(FileNotFoundError, ValueError):
            return int(self.port_file.read_text())
        return None

    def remember_port(self, port: int) -> None:
        """Store the port for the next start."""
        self.port_file.write_text(f"{port}\n")

    def write_access_rules(self) -> None:
        """Write pg_hba.conf. If this process is root, the server's user can read but not change it."""
        if not self.access_rules.exists() or self.access_rules.read_text() != ACCESS_RULES:
            self.access_rules.write_text(ACCESS_RULES)
        self.access_rules.chmod(0o644)  # each time: an earlier process may have been killed before it got here


def find_home(folder: Path, fallback_folder: Path) -> Home:
    """Return the home for the requested folder, creating it if necessary.

    It is the folder itself, unless this process is root and the unprivileged user cannot enter it (for example below
    a private /root). Then it is a subfolder of `fallback_folder`, named by a hash of the folder's path, and a pointer
    file refers to it. Raises `EmbeddedPostgresError` if a pointer's target is missing, so that a new empty cluster does
    not replace a lost one.
    """
    pointer = folder / POINTER
    if pointer.exists():
        home = Home(Path(pointer.read_text().strip()))
        if not home.data_directory.exists():
            raise EmbeddedPostgresError(
                f"{home.data_directory} is gone: restore it, or delete {pointer} to start with an empty cluster"
            )
        return home
    make_folder(folder)
    home = Home(folder)
    if home.data_directory.exists() or os_user_for(home.data_directory).can_enter(folder):
        return home
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    home = Home(fallback_folder / f"postgres-{digest}")
    make_folder(fallback_folder)
    make_folder(home.folder)
    return home


def has_cluster(folder: Path) -> bool:
    """Return whether the requested folder has a cluster, or names the folder of one. Creates nothing."""
    return (folder / POINTER).exists() or Home(folder).data_directory.exists()


def write_pointer(folder: Path, home: Home) -> None:
    """Write the pointer file into the requested folder, if its files are elsewhere."""
    pointer = folder / POINTER
    if home.folder != folder and not pointer.exists():
        pointer.write_text(f"{home.folder}\n")


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, private to this user. As root, let the server's user traverse them."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
