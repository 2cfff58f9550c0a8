"""What tests of the HTTP interface share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from projections.event_tail import EventTail

if TYPE_CHECKING:
    from tests.api.callers import Account, Caller, Doors


@pytest.fixture
def portal(doors: Doors) -> Caller:
    """Give the portal's backend."""
    return doors.portal


@pytest.fixture
def account(doors: Doors) -> Account:
    """Give a main account that has just been registered."""
    return doors.account()


@pytest.fixture
def streams_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have streams of events end once they have begun, for tests that read every answer to its end."""
    monkeypatch.setattr(EventTail, "ended", True)
