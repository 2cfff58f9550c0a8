"""`subusers export`: a copy of the recorded events, written to a file."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from datetime import datetime  # typer reads the annotations
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, BinaryIO
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer

from api.cli.options import parse_id_option, parse_position_option
from api.cli.output import discard_unwritten_output, progress_bar, report
from api.cli.startup import catch_up_history_views, open_service
from api.cli.timestamps import parse_time
from api.http.resources.exports.lines import ExportFormat, lines
from application.command_context import CommandContext
from application.commands.audit_access import OPERATOR, AuditAccess
from domain.event_metadata import ActorType
from projections.history.exports import ExportFilter
from projections.transparency.checkpointer import HistoryRewritten, KeyNotHeld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.service import Service
    from projections.history.exports import Export

LINES_PER_STEP = 500
"""Lines between two updates of the progress bar."""

When = Annotated[datetime | None, typer.Option(parser=parse_time, metavar="TIME", help="By the time of recording.")]


def export(  # noqa: PLR0913, PLR0917  # one parameter per option
    account: Annotated[
        UUID | None, typer.Option(parser=parse_id_option, metavar="ID", help="Events of this account, by id.")
    ] = None,
    export_format: Annotated[
        ExportFormat, typer.Option("--format", help="JSON lines with proofs, CSV for spreadsheets, or OCSF for a SIEM.")
    ] = ExportFormat.JSONL,
    since: When = None,
    until: When = None,
    after: Annotated[
        int, typer.Option(parser=parse_position_option, metavar="POSITION", help="Start after this position.")
    ] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: standard output.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="The events of all accounts.")] = False,
) -> None:
    """Copy recorded events, oldest first. The last line marks a complete copy. The audit log records the export."""
    if everything is (account is not None):
        raise typer.BadParameter("give one of --account ID and --all")
    if since is not None and until is not None and until <= since:
        raise typer.BadParameter("must be after --since", param_hint="--until")
    export_filter = ExportFilter(account, since, until)
    with suppress(BrokenPipeError), _reporting_write_errors(output), open_service() as service:
        catch_up_history_views(service)
        started_export = _begin(service, export_filter, export_format, after)
        with _open(output) as file, progress_bar("exporting", is_shown=output is not None) as show_progress:
            _write(file, lines(started_export, export_format, service.clock()), started_export, show_progress)
    if output is None:
        discard_unwritten_output()
    else:
        report(f"{output} holds {started_export.event_count} events")


@contextmanager
def _reporting_write_errors(output: Path | None) -> Iterator[None]:
    """Report in one line why the file cannot be written, and exit with code 1."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) or output is None:
            raise
        report(f"{output}: {error.strerror}")
        raise typer.Exit(1) from None


def _begin(service: Service, export_filter: ExportFilter, export_format: ExportFormat, after: int) -> Export:
    """Begin an export of all events recorded so far, and record the export."""
    if export_format.has_proofs:
        with suppress(KeyNotHeld, HistoryRewritten):  # the export then ends at the last checkpoint
            service.workers.checkpointer.sign_now()
    started_export = service.queries.exports.begin(
        export_filter, export_format, has_proofs=export_format.has_proofs, after=after
    )
    access = AuditAccess(export_filter.account_id, since=export_filter.since, until=export_filter.until)
    service.commands.audit_access.record_export(
        export_format, access, CommandContext(ActorType.SYSTEM, OPERATOR), after
    )
    return started_export


def _write(
    file: BinaryIO, lines_to_write: Iterator[bytes], started_export: Export, show_progress: Callable[[int, int], None]
) -> None:
    for number, line in enumerate(lines_to_write):
        file.write(line)
        if number % LINES_PER_STEP == 0:
            show_progress(started_export.last_position, started_export.end_position)
    show_progress(started_export.end_position, started_export.end_position)


@contextmanager
def _open(output: Path | None) -> Iterator[BinaryIO]:
    """Yield the output: stdout, or a file readable only by its owner, which gets its final name when complete."""
    if output is None:
        yield sys.stdout.buffer
        return
    draft = output.with_name(f"{output.name}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    draft.replace(output)
