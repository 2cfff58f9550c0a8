"""Fixtures for tests of the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.http import refusal_timing
from api.server.response_timing import arrived_at
from projections.feed.tail import EventTail

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from tests.api.clients import Account, ApiClient, ApiClients


@pytest.fixture
def portal(clients: ApiClients) -> ApiClient:
    """Return a client with the portal's API key."""
    return clients.portal


@pytest.fixture
def account(clients: ApiClients) -> Account:
    """Return a newly registered main account."""
    return clients.register_account()


@pytest.fixture
def finite_event_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make event streams end after their first events, for tests that read every response to the end."""
    monkeypatch.setattr(EventTail, "ended", True)


@pytest.fixture
def delays(refusals_delayed: None, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the delay of responses by a list of the delays, in seconds after the request's arrival."""
    delays: list[float] = []

    def record_delay(environ: WSGIEnvironment, respond_at: float) -> None:
        delays.append(respond_at - arrived_at(environ))

    monkeypatch.setattr(refusal_timing, "hold_response_until", record_delay)
    return delays
