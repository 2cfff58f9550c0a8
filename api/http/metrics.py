"""Metrics: what each process counts, shared through files, and what the database knows, read when asked."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from flask.globals import app_ctx, request_ctx
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.config import shared_folder
from projections.publisher import NAME as PUBLISHER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Flask, Response
    from prometheus_client import Metric

    from projections.progress import Progress

REQUESTS = Counter("subusers_http_requests", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "subusers_http_request_seconds",
    "Seconds from a request's arrival to its answer",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Those that are counted by name: anybody can make up others, and each would be a series of its own."""


@cache
def _log() -> Any:
    """Return a logger that has been put together: `get_logger` gives one that does so for every line."""
    return structlog.get_logger(__name__).bind()


def measure(app: Flask) -> None:
    """Count and time every request, and write one line about it."""
    app.before_request(_start)
    app.after_request(_finish)


def exposition(progress: Progress | None) -> bytes:
    """Return every metric, of all processes together."""
    if shared_folder() is None:
        own = generate_latest(REGISTRY)
    else:
        shared = CollectorRegistry()
        multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # the library does not type it
        own = generate_latest(shared)
    if progress is None:
        return own
    of_database = CollectorRegistry()
    of_database.register(_DatabaseMetrics(progress))
    return own + generate_latest(of_database)


class _DatabaseMetrics(Collector):
    """How far followers have come, how the publisher gets on, and what waits in the mail queue."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterable[Metric]:
        behind = GaugeMetricFamily("subusers_follower_behind", "Positions still to be applied", labels=["follower"])
        stopped = GaugeMetricFamily("subusers_follower_stopped", "1 if stopped by an event", labels=["follower"])
        followers = self._progress.followers()
        for one in followers:
            behind.add_metric([one.name], one.behind)
            stopped.add_metric([one.name], int(one.failure is not None))
        queued, retried = self._progress.queued_mails()
        yield behind
        yield stopped
        yield from self._of_publisher(sum(one.behind for one in followers if one.name == PUBLISHER))
        yield from self._of_checkpoint()
        yield GaugeMetricFamily("subusers_mails_queued", "Mails that wait to be sent", value=queued)
        yield GaugeMetricFamily("subusers_mails_retried", "Mails that wait for another attempt", value=retried)
        yield GaugeMetricFamily(
            "subusers_settled_position", "Where the history ends", value=self._progress.settled_position()
        )

    def _of_checkpoint(self) -> Iterable[Metric]:
        newest = self._progress.checkpoint()
        if newest is None:
            return
        signed, at = newest.tree_size, newest.signed_at.timestamp()
        yield GaugeMetricFamily("subusers_checkpoint_tree_size", "Events in the newest checkpoint", value=signed)
        yield GaugeMetricFamily("subusers_checkpoint_signed_at", "When it was signed, in seconds since 1970", value=at)
        yield GaugeMetricFamily("subusers_checkpoint_unsigned", "Events that have none yet", value=newest.unsigned)

    def _of_publisher(self, behind: int) -> Iterable[Metric]:
        state = self._progress.publisher()
        if state is None:
            return
        connected = int(state.available and state.led)
        yield GaugeMetricFamily("subusers_publisher_behind", "Positions still to be published", value=behind)
        yield GaugeMetricFamily("subusers_publisher_connected", "1 if the broker takes events", value=connected)
        yield CounterMetricFamily(
            "subusers_publisher_published", "Events that the broker has confirmed", value=state.published
        )
        yield CounterMetricFamily(
            "subusers_publisher_returned",
            "Events that came back from the broker for want of a queue",
            value=state.returned,
        )


@cache
def _counted(method: str, route: str, status: int) -> Counter:
    """Return what counts such answers; there are no more of them than routes, methods and statuses make."""
    return REQUESTS.labels(method, route, str(status))


@cache
def _timed(route: str) -> Histogram:
    return SECONDS.labels(route)


def _start() -> None:
    app_ctx.g.arrived = time.perf_counter()


def _finish(response: Response) -> Response:
    asked, here = request_ctx.request, app_ctx.g
    seconds = time.perf_counter() - here.get("arrived", time.perf_counter())
    rule, method, status = asked.url_rule, asked.method, response.status_code
    route = rule.rule if rule is not None else "none"
    _counted(method if method in METHODS else "other", route, status).inc()
    _timed(route).observe(seconds)
    key: Any = here.get("api_key")
    _log().info(
        "request",
        method=method,
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 1),
        api_key=str(key.api_key_id) if key is not None else None,
    )
    return response
