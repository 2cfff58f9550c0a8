"""The Python client, sending its requests to the service in this process."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.clients import ApiClients

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "clients" / "python" / "src"


@contextmanager
def importable(*folders: Path) -> Iterator[None]:
    """Let modules of the Python client, and of further folders, be imported."""
    paths = [str(folder) for folder in (SOURCE, *folders)]
    sys.path[:0] = paths
    try:
        yield
    finally:
        for path in paths:
            sys.path.remove(path)


def connect(clients: ApiClients) -> Any:
    """Return a client with the portal key."""
    with importable():
        subusers_client = importlib.import_module("subusers_client")
    key = clients.portal.headers["Authorization"].removeprefix("Bearer ")
    http = httpx.Client(transport=httpx.WSGITransport(app=clients.app))
    return subusers_client.Client(base_url="http://service", api_key=key, http_client=http)
