"""`subusers replay`: the history of an account on the operator's terminal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from tests.processes.conftest import RunningService


def test_account_history_is_replayed(running_service: RunningService) -> None:
    """Replay prints text with changes and access, or JSON that ends with the state. The access is audited."""
    company = running_service.portal.register()
    sub_user = company.add()
    account_id = company.path.rsplit("/", 1)[1]

    text_replay = running_service.deployment.run("replay", "--account", account_id)
    assert text_replay.process.returncode == 0, text_replay.errors
    assert re.search(r"^  \d\d:\d\d:\d\d  .* added ", text_replay.output, re.MULTILINE)
    assert "status: inactive" in text_replay.output
    assert re.search(rf"no: inactive .*{sub_user.sub_user_id}", text_replay.output)

    json_replay = running_service.deployment.run("replay", "--account", account_id, "--json")
    *lines, end = map(json.loads, json_replay.output.splitlines())
    assert [line["action"] for line in lines] == ["main_account.registered", "sub_user.created", "audit_log.read"]
    assert lines[-1]["in_words"] == "A service operator read the history"
    assert (end["end"], end["events"], end["state"]["with_access"]) == (True, 3, 0)


def test_invalid_replay_arguments_are_refused(running_service: RunningService) -> None:
    unknown = running_service.deployment.run("replay", "--account", str(uuid4()))
    assert (unknown.process.returncode, unknown.errors.splitlines()[1:]) == (1, ["subusers: There is no such account."])
    invalid = running_service.deployment.run("replay", "--account", str(uuid4()), "--as-of", "yesterday")
    assert invalid.process.returncode == 2
    assert "must be a time such as" in invalid.errors
