"""Entry point of the process that `SubusersService` starts. It ends when the starting process ends for any reason."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from api.bootstrap.testing.store import temporary_database


def main() -> None:
    """Run the service until the other end of the socket, whose descriptor is the only argument, is closed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # until the server handles it
    channel = socket.socket(fileno=int(sys.argv[1]))
    folder = Path(tempfile.mkdtemp(prefix="subusers-testing-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs under another account
    try:
        # Importing the service takes about as long as starting PostgreSQL.
        with ThreadPoolExecutor(1) as imports:
            hosting = imports.submit(import_module, "subusers.testing.hosting")
            with temporary_database(folder) as (owner_url, service_url):
                hosting.result().host(channel, folder, owner_url, service_url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
