"""Prometheus metrics: counters of all processes, shared through files, and gauges read from the database."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from flask.globals import app_ctx, request_ctx
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.bootstrap.config import shared_metrics_folder
from api.server.response_timing import record_arrival
from projections.feed.publisher import NAME as PUBLISHER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Flask, Response
    from prometheus_client import Metric

    from domain.access_decision import Decision
    from projections.runtime.progress import Progress

REQUESTS = Counter(
    "subusers_http_requests", "HTTP requests, by method, route and status", ["method", "route", "status"]
)
SECONDS = Histogram(
    "subusers_http_request_seconds",
    "Seconds from the arrival of a request to its response",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

ACCESS_DECISIONS = Counter(
    "subusers_access_decisions",
    "Checks of access, by decision: allowed, or what is missing",
    ["decision"],
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods with a time series of their own. All others are counted together, because clients can invent them."""


@cache
def _log() -> Any:
    """Return a bound logger: the lazy logger of `get_logger` would be bound again for every line."""
    return structlog.get_logger(__name__).bind()


def register_metrics(app: Flask) -> None:
    """Count, time and log every request of an application."""
    app.before_request(_start)
    app.after_request(_finish)


def exposition(progress: Progress | None, skew_seconds: float = 0.0) -> bytes:
    """Return the metrics of all processes in the text format. Without `progress`, omits those of the database."""
    if shared_metrics_folder() is None:
        process_metrics = generate_latest(REGISTRY)
    else:
        shared = CollectorRegistry()
        multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # untyped in prometheus_client
        process_metrics = generate_latest(shared)
    if progress is None:
        return process_metrics
    database_registry = CollectorRegistry()
    database_registry.register(_DatabaseMetrics(progress, skew_seconds))
    return process_metrics + generate_latest(database_registry)


class _DatabaseMetrics(Collector):
    """Gauges of projections, publisher, checkpoints, store and mail queue."""

    def __init__(self, progress: Progress, skew_seconds: float) -> None:
        self._progress = progress
        self._skew_seconds = skew_seconds

    def collect(self) -> Iterable[Metric]:
        behind = GaugeMetricFamily(
            "subusers_follower_behind", "Positions that the projection still has to apply", labels=["follower"]
        )
        stopped = GaugeMetricFamily(
            "subusers_follower_stopped", "1 if the projection was stopped by an event", labels=["follower"]
        )
        followers = self._progress.followers()
        for follower in followers:
            behind.add_metric([follower.name], follower.behind)
            stopped.add_metric([follower.name], int(follower.failure is not None))
        queued, retried = self._progress.queued_mails()
        yield behind
        yield stopped
        yield from self._publisher_metrics(sum(follower.behind for follower in followers if follower.name == PUBLISHER))
        yield from self._checkpoint_gauges()
        store = self._progress.store()
        skew = self._skew_seconds
        yield GaugeMetricFamily(
            "subusers_clock_skew_seconds", "Clock of this host minus clock of the database", value=skew
        )
        lost = int(store is not None and store.has_unaccepted_loss)
        yield GaugeMetricFamily(
            "subusers_store_went_back", "1 until an operator accepts that history was lost", value=lost
        )
        yield GaugeMetricFamily("subusers_mails_queued", "Mails waiting to be sent", value=queued)
        yield GaugeMetricFamily(
            "subusers_mails_retried", "Waiting mails that a worker has begun to send at least once", value=retried
        )
        yield GaugeMetricFamily(
            "subusers_settled_position", "Position of the end of the history", value=self._progress.settled_position()
        )

    def _checkpoint_gauges(self) -> Iterable[Metric]:
        newest = self._progress.checkpoint()
        if newest is None:
            return
        size, signed_at = newest.tree_size, newest.signed_at.timestamp()
        yield GaugeMetricFamily("subusers_checkpoint_tree_size", "Events in the newest checkpoint", value=size)
        yield GaugeMetricFamily(
            "subusers_checkpoint_signed_at", "Time of the newest checkpoint in seconds since 1970", value=signed_at
        )
        yield GaugeMetricFamily(
            "subusers_checkpoint_unsigned", "Events after the newest checkpoint", value=newest.unsigned
        )

    def _publisher_metrics(self, behind: int) -> Iterable[Metric]:
        state = self._progress.publisher()
        if state is None:
            return
        connected = int(state.available and state.led)
        yield GaugeMetricFamily(
            "subusers_publisher_behind", "Positions that the publisher still has to publish", value=behind
        )
        yield GaugeMetricFamily("subusers_publisher_connected", "1 if the broker accepts events", value=connected)
        yield CounterMetricFamily(
            "subusers_publisher_published", "Events confirmed by the broker", value=state.published
        )
        yield CounterMetricFamily(
            "subusers_publisher_returned",
            "Events returned by the broker because no queue was bound",
            value=state.returned,
        )


def count_decisions(decisions: Iterable[Decision]) -> None:
    """Count checks of access that a portal asked for."""
    for decision in decisions:
        _decision_counter(decision.missing or "allowed").inc()


@cache
def _decision_counter(decision: str) -> Counter:
    return ACCESS_DECISIONS.labels(decision)


@cache
def _request_counter(method: str, route: str, status: int) -> Counter:
    """Return the counter of such responses. The numbers of routes, methods and statuses limit the cache."""
    return REQUESTS.labels(method, route, str(status))


@cache
def _duration_histogram(route: str) -> Histogram:
    return SECONDS.labels(route)


def _start() -> None:
    record_arrival(request_ctx.request.environ)
    app_ctx.g.started_at = time.perf_counter()


def _finish(response: Response) -> Response:
    current_request, request_state = request_ctx.request, app_ctx.g
    seconds = time.perf_counter() - request_state.get("started_at", time.perf_counter())
    rule, method, status = current_request.url_rule, current_request.method, response.status_code
    route = rule.rule if rule is not None else "none"
    _request_counter(method if method in METHODS else "other", route, status).inc()
    _duration_histogram(route).observe(seconds)
    key: Any = request_state.get("api_key")
    _log().info(
        "request",
        method=method,
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 1),
        api_key=str(key.api_key_id) if key is not None else None,
    )
    return response
