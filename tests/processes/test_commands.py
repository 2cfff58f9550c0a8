"""Operator commands on a running service."""

from __future__ import annotations

import re
import threading
from collections import Counter
from typing import TYPE_CHECKING

from adapters.postgres.maintenance.migrations import migrations
from tests.postgres import fetch, service_role_url
from tests.processes.portal import Portal
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.conftest import RunningService
    from tests.processes.deployment import Deployment


def test_api_key_lifecycle(running_service: RunningService) -> None:
    """A key grants the access of its scope, is listed without its secret, and is refused once revoked."""
    deployment = running_service.deployment
    before = set(re.findall(r"[0-9a-f-]{36}", deployment.run("api-key", "list").output))
    created = deployment.run("api-key", "create", "--scope", "auditor", "--name", "an auditor")
    assert created.process.returncode == 0
    key = created.output.strip()
    listed = deployment.run("api-key", "list")
    assert listed.process.returncode == 0
    assert key.split("_", 2)[2] not in listed.output
    (key_id,) = set(re.findall(r"([0-9a-f-]{36}).*auditor", listed.output)) - before

    path = running_service.portal.register().path
    with Portal(deployment.url, key) as auditor:
        auditor.call(200, "GET", f"{path}/audit-log")
        auditor.call(403, "GET", path)
        revoked = deployment.run("api-key", "revoke", key_id)
        assert revoked.process.returncode == 0
        assert revoked.output.splitlines() == [
            "revoked; its open streams and downloads end within seconds",
            "webhooks disabled: 0, handed over: 0",
        ]
        auditor.call(401, "GET", f"{path}/audit-log")

    repeated = deployment.run("api-key", "revoke", key_id)
    assert repeated.process.returncode == 1
    assert "revoked before" in repeated.errors


def test_status_shows_every_follower(running_service: RunningService) -> None:
    """`status` reports the position of each follower of a healthy service, and exits 0."""
    running_service.portal.register().add()
    status = running_service.deployment.run("status")
    assert status.process.returncode == 0, status.errors
    assert all(name in status.output for name in ("sub-users", "audit-log", "mail-queue", "history:", "mails:"))


def test_status_reports_a_stopped_follower(deploy: Callable[..., Deployment], database_url: str) -> None:
    """A follower stopped by an event is shown with its failure, and `status` exits 1."""
    fetch(
        database_url, "INSERT INTO followers (name, failed_position, failure) VALUES ('audit-log', 7, 'TypeError: no')"
    )
    status = deploy().run("status")
    assert status.process.returncode == 1
    assert "position 7: TypeError: no" in status.output


def test_concurrent_migrations_run_each_script_once(deploy: Callable[..., Deployment], empty_database_url: str) -> None:
    """Four processes migrate an empty database at once, and all of them succeed."""
    deployment = deploy(database_url=service_role_url(empty_database_url), admin_database_url=empty_database_url)
    programs = [deployment.start("migrate") for _ in range(4)]
    assert [program.wait() for program in programs] == [0] * 4, deployment.output
    ran = Counter(line for program in programs for line in program.output.splitlines())
    assert {line: count for line, count in ran.items() if line.startswith("ran")} == {
        f"ran {migration.name}": 1 for migration in migrations()
    }


def test_status_warns_of_a_role_that_could_alter_the_history(
    deploy: Callable[..., Deployment], database_url: str
) -> None:
    """`status` warns when the service runs as the owner of its tables, and not with the service role."""
    assert "could alter the history" not in deploy().run("status").output
    assert "could alter the history" in deploy(database_url=database_url).run("status").output


def test_views_are_rebuilt_under_load(running_service: RunningService) -> None:
    """During a rebuild writes succeed and reads are fresh; afterwards the views are complete."""
    company = running_service.portal.register()
    sub_user = company.add()
    activity = {"sub_user_id": sub_user.sub_user_id, "action": "assistant.edited"}
    running_service.portal.call(201, "POST", f"{company.path}/activities", {"activities": [activity] * 1000})
    rebuilt, edits = threading.Event(), 0

    def rebuild() -> list[int]:
        try:
            return [running_service.deployment.run("rebuild", view).wait() for view in ("sub-users", "audit-log")]
        finally:
            rebuilt.set()

    def edit() -> list[int]:
        nonlocal edits
        while not rebuilt.is_set():
            edits += 1
            sub_user.change(name=f"Grace {edits}")
            assert [listed["name"] for listed in company.sub_users()] == [f"Grace {edits}"]
        return []

    assert run_concurrently([rebuild, edit]) == [[0, 0], []]
    counts = Counter(row["action"] for row in company.audit_log())
    assert counts["assistant.edited"] == 1000
    assert counts["sub_user.details_changed"] == edits
