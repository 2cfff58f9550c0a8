"""Reads are never stale, whichever process they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.processes.portal import Company, Portal

if TYPE_CHECKING:
    from tests.processes.conftest import Running

NEW_CONNECTIONS = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request, so that any of the server processes may get it."""

ROUNDS = [200, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_list_has_what_was_answered_before(running: Running, rounds: int) -> None:
    """Each change that was answered is in the list that is asked for next."""
    with Portal(running.deployment.url, running.api_key, limits=NEW_CONNECTIONS) as portal:
        company = portal.register()
        person = company.add()
        for number in range(rounds):
            person.change(name=f"Grace {number}", visible=number % 2 == 0)
            (listed,) = company.sub_users()
            assert (listed["name"], listed["visible"]) == (f"Grace {number}", number % 2 == 0)


@pytest.mark.parametrize("rounds", [50, pytest.param(2000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_the_audit_log_has_what_was_answered_before(running: Running, rounds: int) -> None:
    """Each activity that was reported is on top of the audit log that is read next."""
    with Portal(running.deployment.url, running.api_key, limits=NEW_CONNECTIONS) as portal:
        company = portal.register()
        person = company.add()
        for number in range(rounds):
            activity = {"sub_user_id": person.sub_user_id, "action": f"step.{number}"}
            portal.ask(201, "POST", f"{company.path}/activities", {"activities": [activity]})
            assert newest_action(company) == f"step.{number}"


def newest_action(company: Company) -> str:
    """Return what the audit log has on top."""
    action: str = company.portal.ask(200, "GET", f"{company.path}/audit-log?limit=1").json()["items"][0]["action"]
    return action
