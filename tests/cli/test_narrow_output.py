"""Output in lines of 80 columns, on terminals."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from rich.console import Console

from api.cli.commands import tail
from tests.cli.conftest import output_on_terminal
from tests.postgres import fetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.builders import Company
    from tests.cli.conftest import CommandResult


def test_status_fits(
    run_command: Callable[..., CommandResult],
    command_environment: pytest.MonkeyPatch,
    service: Service,
    company: Company,
    database_url: str,
) -> None:
    """Without a width, each fact is in a line of its own."""
    company.create_active()
    service.workers.checkpointer.sign_now()
    failure = "a long reason with many words " * 5
    fetch(database_url, "INSERT INTO followers (name, failed_position, failure) VALUES ('audit-log', 7, %s)", failure)
    wide = run_command("status").output
    assert f"STOPPED: audit-log at position 7: {failure.strip()}" in wide
    command_environment.setenv("NO_COLOR", "1")
    narrow = output_on_terminal("status").split("\n", 1)[1]  # after the database's name
    assert max(map(len, narrow.splitlines())) <= 80
    assert narrow.split() == wide.split()


def test_list_of_api_keys_fits(
    run_command: Callable[..., CommandResult], command_environment: pytest.MonkeyPatch, company: Company
) -> None:
    """Each key has a paragraph that begins with its id. Files and wide terminals have a table."""
    command_environment.setenv("NO_COLOR", "1")
    limits = ["--expires", "2099-01-01", "--allow", "10.20.0.0/16", "--allow", "2001:db8::/32"]
    limits += ["--account", str(company.account_id)]
    for name in ("the portal's backend, in all regions of the world " * 2, "short"):
        assert (
            run_command("api-key", "create", "--scope", "portal", "--name", name[:100].strip(), *limits).exit_code == 0
        )
    headings, *rows = run_command("api-key", "list").output.splitlines()
    assert headings.split()[:2] == ["id", "scope"]
    lines = output_on_terminal("api-key list").splitlines()[1:]  # after the database's name
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if not line.startswith(" ")] == [row.split()[0] for row in rows]
    words = " ".join(lines).split()
    assert {word for row in rows for word in row.split()} <= {*words}
    assert words.count(str(company.account_id)) == len(rows)


def test_state_of_an_account_fits(
    run_command: Callable[..., CommandResult], command_environment: pytest.MonkeyPatch, company: Company
) -> None:
    """Replay is wider in its timeline, which the terminal wraps."""
    command_environment.setenv("NO_COLOR", "1")
    sub_user = company.create_active(email="a-long-address-of-a-colleague@department.company.example")
    command = f"replay --account {company.account_id}"
    lines = output_on_terminal(command).splitlines()
    state = lines[lines.index("Grace Hopper") :]
    assert max(map(len, state)) <= 80
    words = " ".join(state).split()
    assert words[:8] == ["Grace", "Hopper", "e-mail", sub_user.email, "·", "access", "yes", "·"]
    assert words[-2:] == ["id", str(sub_user.sub_user_id)]
    assert "a-long-address" in run_command(*command.split()).output.splitlines()[-1]


@pytest.mark.parametrize("event_type", ["main_account.usage_threshold_reached", "sub_user.credentials_mail_failed"])
def test_event_fits(event_type: str) -> None:
    """Ids stay whole, and long data is folded."""
    account_id, sub_user_id = str(uuid4()), str(uuid4())
    event: dict[str, Any] = {
        "position": 12_345_678,
        "time": "2026-11-23T21:09:34.4Z",
        "type": f"subusers.{event_type}.v1",
        "accountid": account_id,
        "subject": sub_user_id,
        "data": {"actor": {"type": "system"}, "reason": "words " * 30, "session_id": str(uuid4())},
    }
    output = io.StringIO()
    tail._print_paragraph(Console(file=output, width=80, soft_wrap=True), event)  # noqa: SLF001  # the command does not end
    lines = output.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["12345678", "2026-11-23", "21:09:34", f"{event_type}.v1", "system"]
    assert lines[1].split() == [account_id, sub_user_id]
