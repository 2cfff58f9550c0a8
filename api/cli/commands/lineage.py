"""`subusers accept-lost-history`: allow checkpoints after a loss."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import AsJson
from api.cli.output import confirm, echo, print_json
from api.cli.startup import open_service


def accept_lost_history(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Allow checkpoints again after history was lost by a restore or a failover.

    The next checkpoint does not continue the checkpoints of the lost events: inform your auditors first.
    """
    if not yes:
        confirm("Checkpoints of the lost events will contradict the next one. Sign anyway?")
    with open_service() as service:
        accepted = service.accept_lost_history()
    if as_json:
        print_json({"accepted": accepted})
    else:
        echo("signing of checkpoints resumes" if accepted else "no loss is waiting to be accepted")
