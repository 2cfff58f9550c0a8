"""Streamed downloads, and the limits of concurrent ones for each process, API key and account."""

from __future__ import annotations

import threading
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from flask import Response, current_app, g

from api.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from flask import Flask

MAX_PER_PROCESS = 32
MAX_PER_API_KEY = 16
"""More than `MAX_PER_ACCOUNT`, because a portal's key serves all accounts."""

MAX_PER_ACCOUNT = 4
EXTENSION = "subusers-download-slots"

LINES_PER_CHUNK = 100


class AccessEnded(Exception):
    """The API key or session of a download ended before the download finished."""


class DownloadSlots:
    """Counts concurrent downloads by owner. Thread-safe."""

    def __init__(self) -> None:
        self._taken: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    def acquire(self, owners: Sequence[tuple[Hashable, int]]) -> Callable[[], None] | None:
        """Acquire a slot of each owner, and return a function that releases them.

        `owners` are pairs of an owner and its limit. Returns None if an owner has no slot left.
        """
        acquired = [owner for owner, _ in owners]
        with self._lock:
            if any(self._taken[owner] >= limit for owner, limit in owners):
                return None
            self._taken.update(acquired)
        is_released = False

        def release() -> None:
            nonlocal is_released
            with self._lock:
                if not is_released:
                    is_released = True
                    self._taken.subtract(acquired)
                    self._taken += Counter()  # forgets owners without downloads

        return release


def limit_downloads(app: Flask) -> None:
    """Limit the downloads of an application."""
    app.extensions[EXTENSION] = DownloadSlots()
    app.teardown_request(_release_unused)


def reserve_download(account_id: Hashable = None) -> None:
    """Acquire a slot for the download of this request, before its access is recorded.

    Raises the problem `too-many-downloads`.
    """
    owners: list[tuple[Hashable, int]] = [("process", MAX_PER_PROCESS)]
    if "api_key" in g:
        owners.append((("key", g.api_key.api_key_id), MAX_PER_API_KEY))
    if account_id is not None:
        owners.append((("account", account_id), MAX_PER_ACCOUNT))
    slots: DownloadSlots = current_app.extensions[EXTENSION]
    release = slots.acquire(owners)
    if release is None:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too-many-downloads",
            "Too many downloads are running. Try again when one has finished.",
            headers={"Retry-After": "5"},
        )
    g.release_download = release


def file_response(lines: Iterable[bytes], name: str, content_type: str, is_allowed: Callable[[], bool]) -> Response:
    """Return lines as a streamed attachment.

    `is_allowed` is called before each further chunk. Once it returns False the response is aborted, so that clients
    detect an incomplete file. The request must have reserved a download slot.
    """
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    response = Response(_chunks(lines, is_allowed), content_type=content_type, headers=headers)
    _hold_download_slot(response)
    return response


def _hold_download_slot(response: Response) -> None:
    """Keep the reserved slot until the response has been sent or aborted."""
    response.call_on_close(cast("Callable[[], None]", g.pop("release_download")))


def _chunks(lines: Iterable[bytes], is_allowed: Callable[[], bool]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == LINES_PER_CHUNK:
            yield b"".join(chunk)
            if not is_allowed():
                raise AccessEnded
            chunk = []
    yield b"".join(chunk)


def _release_unused(_: BaseException | None) -> None:
    """Release the slot of a request that was refused after the reservation."""
    if "release_download" in g:
        g.pop("release_download")()
