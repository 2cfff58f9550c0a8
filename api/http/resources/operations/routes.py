"""Routes for operators: liveness, readiness and metrics."""

from __future__ import annotations

import hmac
from http import HTTPStatus

from flask import Response

from api.http.authentication import bearer_token, service
from api.http.metrics import exposition
from api.http.problems import Problem
from api.http.resources.operations.schemas import HealthAnswer
from api.http.responses import json_response
from api.http.routing import Routes
from application.errors import StoreUnavailable

routes = Routes("operations", "Health and metrics")
HEALTH = HealthAnswer()


@routes.route("GET", "/healthz", response=(200, HealthAnswer))
def get_liveness() -> Response:
    """Report that the server process is running."""
    return json_response(HEALTH.to_json({"status": "ok"}))


@routes.route("GET", "/readyz", problems=(HTTPStatus.SERVICE_UNAVAILABLE,), response=(200, HealthAnswer))
def get_readiness() -> Response:
    """Report whether the service can serve requests, that is, whether it can reach the database.

    A stopped projection does not make the service unready, because only its own view falls behind. `/metrics` and
    `subusers status` show it.
    """
    service().check_store()
    warnings = service().warnings()
    return json_response(HEALTH.to_json({"status": "ready", **({"warnings": warnings} if warnings else {})}))


@routes.route(
    "GET",
    "/metrics",
    problems=(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND),
    response=(200, None),
    is_documented=False,
)
def get_metrics() -> Response:
    """Get the metrics in the Prometheus text format.

    Send `Authorization: Bearer` with the token of the setting `SUBUSERS_METRICS_TOKEN`: counters reveal to outsiders
    when events are recorded. Without that setting the response is 404.
    """
    _require_metrics_token()
    try:
        text = exposition(service().queries.progress, service().database_clock.skew_seconds)
    except StoreUnavailable:
        text = exposition(None)
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")


def _require_metrics_token() -> None:
    expected = service().settings.metrics_token
    if expected is None:
        detail = "Metrics are disabled. Set SUBUSERS_METRICS_TOKEN to enable them."
        raise Problem(HTTPStatus.NOT_FOUND, "not-found", detail)
    if not hmac.compare_digest(bearer_token().encode("utf-8", "surrogateescape"), expected.encode()):
        headers = {"WWW-Authenticate": 'Bearer realm="subusers metrics", error="invalid_token"'}
        detail = "Metrics require a token: Authorization: Bearer <SUBUSERS_METRICS_TOKEN>."
        raise Problem(HTTPStatus.UNAUTHORIZED, "unknown-metrics-token", detail, headers=headers)
