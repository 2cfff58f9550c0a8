"""Operating system user that runs PostgreSQL."""

from __future__ import annotations

import os
import pwd
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from adapters.embedded_postgres.errors import EmbeddedPostgresError

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# The caller's environment is not inherited: PGDATA, PGOPTIONS, LC_ALL or TZ would change the server's behaviour.
ENVIRONMENT: Final = {"LC_ALL": "C", "TZ": "UTC"}

# In order of preference. PostgreSQL refuses to run as root.
UNPRIVILEGED: Final = ("postgres", "nobody")

# `initdb` takes about one second; only a hanging disk takes longer than this.
COMMAND_TIMEOUT_SECONDS: Final = 120.0


@dataclass(frozen=True)
class OsUser:
    """User that runs PostgreSQL's programs. If `uid` and `gid` are None, it is the user of this process."""

    name: str
    uid: int | None = None
    gid: int | None = None

    @property
    def extra_groups(self) -> list[int] | None:
        """Supplementary groups: none for another user, so that the program does not keep root's."""
        return None if self.uid is None else []

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a command, and wait for it to end. Raises `OSError` if it cannot be executed."""
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=COMMAND_TIMEOUT_SECONDS,
            cwd="/",
            env=ENVIRONMENT,
            user=self.uid,
            group=self.gid,
            extra_groups=self.extra_groups,
        )

    def spawn(
        self, command: Sequence[str | Path], log: IO[bytes], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a server in a new session, so that a Ctrl-C for this process does not reach it."""
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={**ENVIRONMENT, **environment},
            user=self.uid,
            group=self.gid,
            extra_groups=self.extra_groups,
        )

    def signal(self, pid: int, stop_signal: signal.Signals) -> None:
        """Send a signal as this user, so that a forged or reused pid cannot reach processes of other users."""
        if self.uid is not None:
            self.run(["/bin/sh", "-c", 'kill -s "$1" "$2"', "sh", stop_signal.name.removeprefix("SIG"), str(pid)])
            return
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, stop_signal)

    def own(self, path: Path) -> None:
        """Make this user the owner of a file or folder."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Return whether this user can enter a folder. It tries: a mode does not show access control lists."""
        if self.uid is None:
            return True
        return self.run(["/bin/sh", "-c", 'cd "$1"', "sh", folder]).returncode == 0


def os_user_for(data_directory: Path) -> OsUser:
    """Return the user that runs a cluster: the owner of an existing one, which PostgreSQL requires.

    Raises `EmbeddedPostgresError` if this process is root and there is no unprivileged user.
    """
    if os.geteuid() != 0:
        return OsUser("this account")
    if data_directory.exists() and (owner := data_directory.stat()).st_uid != 0:
        return OsUser(f"user {owner.st_uid}", owner.st_uid, owner.st_gid)
    for name in UNPRIVILEGED:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return OsUser(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(f"PostgreSQL cannot run as root, and no account is named {' or '.join(UNPRIVILEGED)}")
