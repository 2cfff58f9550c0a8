"""What an operator does on the command line while the service runs."""

from __future__ import annotations

import re
import threading
from collections import Counter
from typing import TYPE_CHECKING

from adapters.postgres.migrations import migrations
from tests.postgres import ask, for_service
from tests.processes.portal import Portal
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.conftest import Running
    from tests.processes.deployment import Deployment


def test_an_api_key_from_first_to_last(running: Running) -> None:
    """A key opens what its scope says, is listed without its secret, and opens nothing once it is revoked."""
    deployment = running.deployment
    key = deployment.api_key("auditor")
    listed = deployment.run("api-key", "list")
    assert listed.process.returncode == 0
    assert key.split("_", 2)[2] not in listed.output
    (key_id,) = re.findall(r"([0-9a-f-]{36}).*auditor", listed.output)

    path = running.portal.register().path
    with Portal(deployment.url, key) as auditor:
        auditor.ask(200, "GET", f"{path}/audit-log")
        auditor.ask(403, "GET", path)
        revoked = deployment.run("api-key", "revoke", key_id)
        assert (revoked.process.returncode, revoked.output) == (0, "revoked\n")
        auditor.ask(401, "GET", f"{path}/audit-log")

    again = deployment.run("api-key", "revoke", key_id)
    assert again.process.returncode == 1
    assert "revoked before" in again.errors


def test_status_shows_every_follower(running: Running) -> None:
    """Of a service at work, the status tells how far each follower has come, and exits 0."""
    running.portal.register().add()
    status = running.deployment.run("status")
    assert status.process.returncode == 0, status.errors
    assert all(name in status.output for name in ("sub-users", "audit-log", "mail-queue", "history:", "mails:"))


def test_status_tells_of_a_stopped_follower(deploy: Callable[..., Deployment], database_url: str) -> None:
    """A follower that an event has stopped is shown with its failure, and makes the status exit 1."""
    ask(database_url, "INSERT INTO followers (name, failed_position, failure) VALUES ('audit-log', 7, 'TypeError: no')")
    status = deploy().run("status")
    assert status.process.returncode == 1
    assert "position 7: TypeError: no" in status.output


def test_several_migrate_at_once(deploy: Callable[..., Deployment], empty_database_url: str) -> None:
    """However many processes migrate an empty database together, each script runs once, and all of them succeed."""
    deployment = deploy(database_url=for_service(empty_database_url), admin_database_url=empty_database_url)
    programs = [deployment.start("migrate") for _ in range(4)]
    assert [program.wait() for program in programs] == [0] * 4, deployment.said
    ran = Counter(line for program in programs for line in program.output.splitlines())
    assert {line: count for line, count in ran.items() if line.startswith("ran")} == {
        f"ran {migration.name}": 1 for migration in migrations()
    }


def test_status_tells_of_a_role_that_could_alter_the_history(
    deploy: Callable[..., Deployment], database_url: str
) -> None:
    """A service that runs as the owner of its tables is told so; one with a role of its own is not."""
    assert "could alter the history" not in deploy().run("status").output
    assert "could alter the history" in deploy(database_url=database_url).run("status").output


def test_views_are_rebuilt_while_the_service_goes_on(running: Running) -> None:
    """During a rebuild every write is taken, every read is answered and fresh; after it nothing is missing."""
    company = running.portal.register()
    person = company.add()
    done = {"sub_user_id": person.sub_user_id, "action": "assistant.edited"}
    running.portal.ask(201, "POST", f"{company.path}/activities", {"activities": [done] * 1000})
    over, edits = threading.Event(), 0

    def rebuild() -> list[int]:
        try:
            return [running.deployment.run("rebuild", view).wait() for view in ("sub-users", "audit-log")]
        finally:
            over.set()

    def go_on() -> list[int]:
        nonlocal edits
        while not over.is_set():
            edits += 1
            person.change(name=f"Grace {edits}")
            assert [one["name"] for one in company.sub_users()] == [f"Grace {edits}"]
        return []

    assert at_once([rebuild, go_on]) == [[0, 0], []]
    counts = Counter(row["action"] for row in company.audit_log())
    assert counts["assistant.edited"] == 1000
    assert counts["sub_user.details_changed"] == edits
