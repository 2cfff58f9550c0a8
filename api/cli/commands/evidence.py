"""`subusers evidence`: everything that an auditor needs about an account and a period, in one signed file."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime  # noqa: TC003  # typer reads the annotations
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import Annotated
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer

from api.bootstrap.checkpoint_keys import require_key_of_store
from api.cli.evidence.pack import FORMAT, Period, write_pack
from api.cli.options import parse_id_option
from api.cli.output import report
from api.cli.output_files import new_file, reporting_write_errors
from api.cli.startup import catch_up_history_views, open_service
from api.cli.timestamps import parse_time
from application.command_context import CommandContext
from application.commands.audit_access import OPERATOR, AuditAccess
from application.display_text import quantity
from domain.event_metadata import ActorType
from projections.transparency.checkpointer import HistoryRewritten


def evidence(
    account: Annotated[UUID, typer.Option(parser=parse_id_option, metavar="ID", help="The account's id.")],
    since: Annotated[
        datetime, typer.Option(parser=parse_time, metavar="TIME", help="Events recorded from this time or day on.")
    ],
    until: Annotated[
        datetime, typer.Option(parser=parse_time, metavar="TIME", help="Events recorded before this time or day.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The ZIP file to write.")],
) -> None:
    """Write a signed ZIP file with an account's history, audit log, proofs and report, which others can verify.

    The audit log records this.
    """
    if until <= since:
        raise typer.BadParameter("must be after --since", param_hint="--until")
    with reporting_write_errors(output), open_service() as service:
        if since >= service.clock():
            raise typer.BadParameter("must not be in the future", param_hint="--since")
        require_key_of_store(service)
        catch_up_history_views(service)
        with suppress(HistoryRewritten):  # the pack then ends at the last checkpoint
            service.workers.checkpointer.sign_now()
        with new_file(output) as file:
            event_count = write_pack(service, Period(account, since, until), file, output.parent)
            service.commands.audit_access.record_export(
                FORMAT, AuditAccess(account, since=since, until=until), CommandContext(ActorType.SYSTEM, OPERATOR)
            )
    report(f"{output} holds {quantity(event_count, 'event')}")
