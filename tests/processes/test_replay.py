"""The history of an account on the operator's terminal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from tests.processes.conftest import Running


def test_a_history_is_replayed(running: Running) -> None:
    """In words with what changed and who had access, or as JSON that ends with the state; that it was, is recorded."""
    company = running.portal.register()
    person = company.add()
    account_id = company.path.rsplit("/", 1)[1]

    shown = running.deployment.run("replay", "--account", account_id)
    assert shown.process.returncode == 0, shown.errors
    assert re.search(r"^  \d\d:\d\d:\d\d  .* added ", shown.output, re.MULTILINE)
    assert "status: inactive" in shown.output
    assert re.search(rf"no: inactive .*{person.sub_user_id}", shown.output)

    told = running.deployment.run("replay", "--account", account_id, "--as-of", "2099-01-01", "--json")
    *lines, end = map(json.loads, told.output.splitlines())
    assert [line["action"] for line in lines] == ["main_account.registered", "sub_user.created", "audit_log.read"]
    assert lines[-1]["in_words"] == "An operator of the service read the history"
    assert (end["end"], end["events"], end["state"]["with_access"]) == (True, 3, 0)


def test_what_cannot_be_replayed_is_told_in_a_line(running: Running) -> None:
    unknown = running.deployment.run("replay", "--account", str(uuid4()))
    assert (unknown.process.returncode, unknown.errors) == (1, "subusers: There is no such account.\n")
    wrong = running.deployment.run("replay", "--account", str(uuid4()), "--as-of", "yesterday")
    assert wrong.process.returncode == 2
    assert "must be a time such as" in wrong.errors
