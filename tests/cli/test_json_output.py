"""`--json`: results of commands as JSON on stdout."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.builders import catch_up
from tests.postgres import fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.bootstrap.service import Service
    from tests.builders import Company
    from tests.cli.conftest import CommandResult

    Run = Callable[..., CommandResult]


def result_of(result: CommandResult) -> Any:
    """Require one JSON object, and return it."""
    (line,) = result.output.splitlines()
    return json.loads(line)


def test_status(run_command: Run, service: Service, company: Company, database_url: str) -> None:
    company.create_active()
    catch_up(service)
    result = run_command("status", "--json")
    status = result_of(result)
    assert result.exit_code == 0
    assert {follower["name"] for follower in status["followers"]} >= {"sub-users", "audit-log"}
    assert status["position"] == max(follower["position"] for follower in status["followers"])
    assert (status["mails_waiting"], status["pending_migrations"], status["checkpoint"]) == (1, [], None)

    fetch(database_url, "UPDATE followers SET failed_position = 1, failure = 'no' WHERE name = 'usage'")
    result = run_command("status", "--json")
    assert result.exit_code == 1
    failures = {follower["name"]: follower["failure"] for follower in result_of(result)["followers"]}
    assert failures["usage"] == "no"

    fetch(database_url, "DELETE FROM schema_migrations WHERE number = 1")
    result = run_command("status", "--json")
    assert (result.exit_code, result_of(result)["pending_migrations"]) == (1, ["0001_event_store.sql"])


def test_api_keys(run_command: Run) -> None:
    limits = ["--expires", "2099-01-01", "--allow", "10.20.0.0/16"]
    created = result_of(run_command("api-key", "create", "--scope", "portal", "--name", "x", *limits, "--json"))
    assert created["key"].startswith("subusers_portal_")
    assert (created["expires_at"], created["allowed_addresses"]) == ("2099-01-01T00:00:00Z", ["10.20.0.0/16"])
    listed = result_of(run_command("api-key", "list", "--json"))
    assert (listed["scope"], listed["name"], listed["revoked_at"]) == ("portal", "x", None)
    key_id = str(UUID(listed["api_key_id"]))
    limited = result_of(run_command("api-key", "limit", key_id, "--json"))
    assert limited == {"api_key_id": key_id, "expires_at": None, "allowed_addresses": None, "accounts": None}
    revoked = result_of(run_command("api-key", "revoke", key_id, "--json"))
    assert (revoked["api_key_id"], revoked["webhooks_disabled"]) == (key_id, 0)
    repeated = run_command("api-key", "revoke", key_id, "--json")
    assert (repeated.exit_code, repeated.output) == (1, "")
    assert repeated.messages == ["subusers: no such key, or it was revoked before"]


def test_verify(run_command: Run, service: Service, company: Company, database_url: str, tmp_path: Path) -> None:
    company.create_sub_user()
    catch_up(service, "merkle-tree")
    service.workers.checkpointer.sign_now()
    result = run_command("verify", "--json")
    intact = result_of(result)
    assert (result.exit_code, intact["result"], intact["signed"], intact["findings"]) == (0, "intact", 2, [])

    export = tmp_path / "export"
    run_command("export", "--all", "-o", export)
    verdict = result_of(run_command("verify", "--export", export, "--json"))
    assert (verdict["result"], verdict["checkpoint"]["tree_size"]) == ("intact", 2)
    note = service.queries.checkpoints.newest()
    assert note is not None
    (tmp_path / "note").write_text(note.note)
    verdict = result_of(run_command("verify", "--consistency", tmp_path / "note", tmp_path / "note", "--json"))
    assert verdict == {"result": "intact", "old_tree_size": 2, "new_tree_size": 2, "findings": []}

    fetch(database_url, "UPDATE stored_events SET state = state || ' ' WHERE notification_id = 2")
    result = run_command("verify", "--json")
    assert (result.exit_code, result_of(result)["result"]) == (1, "tampered")
    assert result_of(result)["findings"] == ["position 2: the event is not what was recorded"]

    result = run_command("verify", "--export", tmp_path / "nowhere", "--json")
    reason = f"{tmp_path / 'nowhere'}: No such file or directory"
    assert (result.exit_code, result_of(result)) == (2, {"result": "undetermined", "reason": reason})
    assert result.messages == [f"subusers: could not tell: {reason}"]


def test_other_commands(
    run_command: Run, command_environment: pytest.MonkeyPatch, company: Company, database_url: str
) -> None:
    command_environment.setenv("SUBUSERS_ADMIN_DATABASE_URL", database_url)
    sub_user = company.create_sub_user()
    sub_user.delete()
    erasure = result_of(run_command("erasures", "--json"))
    assert erasure["sub_user_id"] == str(sub_user.sub_user_id)
    assert set(result_of(run_command("signing-key", "show", "--json"))) == {"public_key"}
    assert set(result_of(run_command("signing-key", "generate", "--json"))) == {"private_key"}
    assert result_of(run_command("migrate", "--json")) == {"migrations": []}
    assert result_of(run_command("accept-lost-history", "--yes", "--json")) == {"accepted": False}
    assert result_of(run_command("rotate-master-key", "--json"))["rewrapped"] == 0
    rebuilt = result_of(run_command("rebuild", "usage", "--json"))
    assert (rebuilt["view"], rebuilt["position"] >= 3) == ("usage", True)
    erased = result_of(run_command("erase-account", company.account_id, "--yes", "--json"))
    assert erased == {"account_id": str(company.account_id), "erased": 1}


@pytest.mark.parametrize("command", ["status", "api-key list", "verify", "signing-key show", "erasures", "migrate"])
def test_every_command_with_a_result_has_json(run_command: Run, command: str) -> None:
    assert "--json" in run_command(*command.split(), "--help").output
