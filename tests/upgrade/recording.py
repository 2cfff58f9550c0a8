"""The recorded files, and the form in which responses are recorded."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.upgrade.exchanges import parsed_body

if TYPE_CHECKING:
    from tests.upgrade.exchanges import Response

RECORDED = Path(__file__).with_name("recorded")


def read_recorded(name: str) -> str:
    """Return the text of a recorded file, decompressed."""
    data = (RECORDED / name).read_bytes()
    return (gzip.decompress(data) if name.endswith(".gz") else data).decode()


def write_recorded(name: str, text: str) -> None:
    """Write a recorded file, compressed if its name says so."""
    data = text.encode()
    (RECORDED / name).write_bytes(gzip.compress(data, 9, mtime=0) if name.endswith(".gz") else data)


def recorded_response(response: Response) -> dict[str, Any]:
    """Return a response as it is recorded."""
    return {"status": response.status, "headers": dict(sorted(response.headers.items())), "body": parsed_body(response)}
