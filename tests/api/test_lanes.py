"""Lanes of the HTTP server: which thread pool handles which request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from api.bootstrap.config import STREAM_CONNECTIONS
from api.server.lanes import LANES, Lane, lane_limits, lane_of

if TYPE_CHECKING:
    from api.bootstrap.config import Settings
    from tests.api.clients import ApiClients


@pytest.mark.parametrize(
    ("method", "path", "query", "lane"),
    [
        ("POST", "/v1/sessions/introspect", "", Lane.CRITICAL),
        ("GET", "/readyz", "", Lane.CRITICAL),
        ("HEAD", "/healthz", "", Lane.HEALTH),
        ("POST", "/v1/sessions", "", Lane.PORTAL_SIGN_IN),
        ("GET", "/login", "", Lane.READS),
        ("HEAD", "/login", "", Lane.READS),
        ("POST", "/login", "", Lane.CONSOLE_SIGN_IN),
        ("PUT", "/v1/sessions/current/password", "", Lane.WRITES),
        ("POST", "/account/password", "", Lane.WRITES),
        ("GET", "/v1/events", "after=0", Lane.READS),
        ("GET", "/v1/events", "after=0&wait=20", Lane.EVENTS),
        ("GET", "/v1/events/stream", "", Lane.EVENTS),
        ("GET", "/nowhere", "", Lane.READS),
        ("PATCH", "/nowhere", "", Lane.WRITES),
        ("BREW", "/nowhere", "", Lane.WRITES),
    ],
)
def test_lane_of_a_request(method: str, path: str, query: str, lane: Lane) -> None:
    """The lane depends on the method, the path, and whether the request waits for events."""
    assert lane_of(method, path, query) is lane


def test_every_lane_rule_matches_a_route(clients: ApiClients) -> None:
    """A rule for a removed route would go unnoticed."""
    routes = {(method, rule.rule) for rule in clients.app.url_map.iter_rules() for method in rule.methods or ()}
    assert routes >= set(LANES)


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_reads_and_writes_divide_the_threads(settings: Settings, threads: int) -> None:
    """The pool has a connection for each thread that uses the database, and a few for all readers of events."""
    settings = replace(settings, threads=threads)
    threads_by_lane = {lane: limits.threads for lane, limits in lane_limits(settings).items()}
    assert min(threads_by_lane.values()) > 0
    assert threads_by_lane[Lane.READS] + threads_by_lane[Lane.WRITES] == threads
    threads_with_connection = sum(threads_by_lane[lane] for lane in set(Lane) - {Lane.HEALTH, Lane.EVENTS})
    assert settings.database_connections == threads_with_connection + STREAM_CONNECTIONS
