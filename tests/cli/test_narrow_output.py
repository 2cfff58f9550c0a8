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
