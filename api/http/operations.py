"""What operators and their machines ask: is it up, is it ready, how is it doing."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response

from api.http.answers import answer
from api.http.doors import service
from api.http.metrics import exposition
from api.http.routes import Routes
from api.http.schemas import HealthAnswer
from application.errors import StoreUnavailable

routes = Routes("operations", "Health and metrics")
HEALTH = HealthAnswer()


@routes.door("GET", "/healthz", gives=(200, HealthAnswer))
def healthz() -> Response:
    """Say whether this process answers."""
    return answer(HEALTH.written({"status": "ok"}))


@routes.door("GET", "/readyz", problems=(HTTPStatus.SERVICE_UNAVAILABLE,), gives=(200, HealthAnswer))
def readyz() -> Response:
    """Say whether requests can be served: the database answers.

    A follower that has stopped makes its own view late, and no more: `/metrics` and `subusers status` show it.
    """
    service().progress.settled_position()
    return answer(HEALTH.written({"status": "ready"}))


@routes.door("GET", "/metrics", gives=(200, None))
def metrics() -> Response:
    """Show the metrics, in Prometheus's format."""
    try:
        text = exposition(service().progress)
    except StoreUnavailable:
        text = exposition(None)
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")
