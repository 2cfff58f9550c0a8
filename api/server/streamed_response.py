"""A response in chunks. A thread produces the next chunk after the client has read the previous ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from api.server.worker_pool import Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.server.response_writer import ResponseWriter
    from api.server.worker_pool import WorkerPool
    from api.server.wsgi import Stream

log = structlog.get_logger(__name__)


class StreamedResponse:
    """The body of a streamed response. Only the event loop's thread uses it, except for `_produce`.

    One of two functions is called at the end: `on_complete`, or `on_failure` if the response is incomplete.
    """

    __slots__ = (
        "_call_soon",
        "_is_chunked",
        "_is_ended",
        "_is_producing",
        "_on_complete",
        "_on_failure",
        "_pool",
        "_stream",
        "_writer",
    )

    def __init__(  # noqa: PLR0913  # its dependencies
        self,
        stream: Stream,
        pool: WorkerPool,
        writer: ResponseWriter,
        call_soon: Callable[..., object],
        *,
        is_chunked: bool,
        on_complete: Callable[[], object],
        on_failure: Callable[[], object],
    ) -> None:
        self._stream = stream
        self._pool = pool
        self._writer = writer
        self._call_soon = call_soon
        self._is_chunked = is_chunked
        self._on_complete = on_complete
        self._on_failure = on_failure
        self._is_producing = False
        self._is_ended = False

    def produce_next(self) -> None:
        """Let a thread produce the next chunk, if the client has read the previous ones."""
        if self._is_ended or self._is_producing or self._writer.is_paused:
            return
        self._is_producing = True
        if not self._pool.submit(Job(self._produce, self._fail)):
            self._fail()

    def release(self) -> None:
        """End the response early, and release the stream as soon as no thread uses it."""
        if not self._is_ended:
            self._is_ended = True
            if not self._is_producing:
                close_stream(self._stream, self._pool)

    def _produce(self) -> None:
        """Produce a chunk, in a thread of a pool."""
        try:
            chunk = self._stream.next_chunk()
        except Exception as error:  # noqa: BLE001  # the response has begun, so it can only be aborted
            log.warning("request.stream_broken", error=type(error).__name__)
            self._call_soon(self._fail)
        else:
            self._call_soon(self._take_chunk, chunk)

    def _take_chunk(self, chunk: bytes | None) -> None:
        self._is_producing = False
        if self._is_ended:
            close_stream(self._stream, self._pool)
        elif chunk is not None:
            self._writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._is_chunked else chunk)
            self.produce_next()
        else:
            self.release()
            if self._is_chunked:
                self._writer.write(b"0\r\n\r\n")
            self._on_complete()

    def _fail(self) -> None:
        self._is_producing = False
        if self._is_ended:
            close_stream(self._stream, self._pool)
        else:
            self.release()
            self._on_failure()


def close_stream(stream: Stream, pool: WorkerPool) -> None:
    """Let a thread release the resources of a stream."""
    pool.submit(Job(stream.close, stream.close), beyond_limit=True)
