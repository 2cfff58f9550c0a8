"""The operating system's account that PostgreSQL runs as."""

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

# Nothing of the caller's environment gets through: PGDATA, PGOPTIONS, LC_ALL or TZ would change what is run.
ENVIRONMENT: Final = {"LC_ALL": "C", "TZ": "UTC"}

# In order of preference. PostgreSQL refuses to run as root.
UNPRIVILEGED: Final = ("postgres", "nobody")

# Longer than anything short of a hanging disk: `initdb` takes about a second.
COMMAND_TIMEOUT: Final = 120.0


@dataclass(frozen=True)
class Account:
    """An account to run programs as. Without ids, it is the one this process runs as."""

    name: str
    user: int | None = None
    group: int | None = None

    @property
    def extra_groups(self) -> list[int] | None:
        """Return no groups at all for another account, so that none of root's is kept."""
        return None if self.user is None else []

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. Raises `OSError` when it cannot be executed."""
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=COMMAND_TIMEOUT,
            cwd="/",
            env=ENVIRONMENT,
            user=self.user,
            group=self.group,
            extra_groups=self.extra_groups,
        )

    def spawn(
        self, command: Sequence[str | Path], log: IO[bytes], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a server in a session of its own, so that a Ctrl-C meant for us does not reach it."""
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={**ENVIRONMENT, **environment},
            user=self.user,
            group=self.group,
            extra_groups=self.extra_groups,
        )

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal as this account, so that a forged or re-used pid can reach nobody else's process."""
        if self.user is not None:
            self.run(["/bin/sh", "-c", 'kill -s "$1" "$2"', "sh", number.name.removeprefix("SIG"), str(pid)])
            return
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)

    def own(self, path: Path) -> None:
        """Give a file or folder of ours to this account."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)

    def can_enter(self, folder: Path) -> bool:
        """Tell whether this account gets into the folder. It is tried, not computed: access lists count too."""
        if self.user is None:
            return True
        return self.run(["/bin/sh", "-c", 'cd "$1"', "sh", folder]).returncode == 0


def account_for(data: Path) -> Account:
    """Return the account to run the cluster in `data` as: its owner where it exists, since no other may.

    Raises `EmbeddedPostgresError` when we are root and there is no unprivileged account.
    """
    if os.geteuid() != 0:
        return Account("this account")
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(f"user {owner.st_uid}", owner.st_uid, owner.st_gid)
    for name in UNPRIVILEGED:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(f"PostgreSQL cannot run as root, and no account is named {' or '.join(UNPRIVILEGED)}")
