"""`subusers accept-lost-history`: allow checkpoints after a loss."""

from __future__ import annotations

import typer

from api.cli.output import confirm, echo
from api.cli.startup import open_service


def accept_lost_history(*, yes: bool = typer.Option(False, "--yes", help="Do not ask.")) -> None:  # noqa: FBT003
    """Allow checkpoints again after history was lost by a restore or a failover.

    The next checkpoint does not continue the checkpoints of the lost events: inform your auditors first.
    """
    if not yes:
        confirm("Checkpoints of the lost events will contradict the next one. Sign anyway?")
    with open_service() as service:
        accepted = service.accept_lost_history()
    echo("signing of checkpoints resumes" if accepted else "no loss is waiting to be accepted")
