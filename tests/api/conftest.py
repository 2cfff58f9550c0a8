"""Fixtures for tests of the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from projections.feed.tail import EventTail

if TYPE_CHECKING:
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
