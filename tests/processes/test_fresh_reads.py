"""Read-your-writes consistency across server processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.processes.portal import Company, Portal

if TYPE_CHECKING:
    from tests.processes.conftest import RunningService

NEW_CONNECTIONS = httpx.Limits(max_keepalive_connections=0)
"""Opens a connection for each request, so that any server process may handle it."""

ROUNDS = [200, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_list_contains_every_acknowledged_edit(running_service: RunningService, rounds: int) -> None:
    with Portal(running_service.deployment.url, running_service.api_key, limits=NEW_CONNECTIONS) as portal:
        company = portal.register()
        sub_user = company.add()
        for number in range(rounds):
            sub_user.change(name=f"Grace {number}", visible=number % 2 == 0)
            (listed,) = company.sub_users()
            assert (listed["name"], listed["visible"]) == (f"Grace {number}", number % 2 == 0)


@pytest.mark.parametrize("rounds", [50, pytest.param(2000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_audit_log_contains_every_acknowledged_activity(running_service: RunningService, rounds: int) -> None:
    with Portal(running_service.deployment.url, running_service.api_key, limits=NEW_CONNECTIONS) as portal:
        company = portal.register()
        sub_user = company.add()
        for number in range(rounds):
            activity = {"sub_user_id": sub_user.sub_user_id, "action": f"step.{number}"}
            portal.call(201, "POST", f"{company.path}/activities", {"activities": [activity]})
            assert newest_action(company) == f"step.{number}"


def newest_action(company: Company) -> str:
    """Return the action of the newest audit log entry."""
    action: str = company.portal.call(200, "GET", f"{company.path}/audit-log?limit=1").json()["items"][0]["action"]
    return action
