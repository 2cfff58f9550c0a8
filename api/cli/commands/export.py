"""`subusers export`: a copy of the recorded events, written to a file."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from datetime import datetime  # typer reads the annotations
from enum import StrEnum
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, BinaryIO
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer

from api.cli.options import parse_id_option, parse_position_option
from api.cli.output import discard_unwritten_output, progress_bar, report
from api.cli.output_files import new_file, reporting_write_errors
from api.cli.startup import catch_up_history_views, open_service
from api.cli.timestamps import parse_time
from api.http.resources.exports.lines import ExportFormat, lines
from api.presentation.parquet_files import OtherSelection, ParquetFolder, ParquetNotInstalled
from application.command_context import CommandContext
from application.commands.audit_access import OPERATOR, AuditAccess
from application.display_text import quantity
from domain.event_metadata import ActorType
from projections.history.exports import ExportFilter
from projections.transparency.checkpointer import HistoryRewritten, KeyNotHeld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.service import Service
    from projections.history.exports import Export

PARQUET = "parquet"


class FileFormat(StrEnum):
    """Format of the file, or of the files of a folder."""

    JSONL = ExportFormat.JSONL
    CSV = ExportFormat.CSV
    OCSF = ExportFormat.OCSF
    PARQUET = PARQUET


LINES_PER_STEP = 500
"""Lines between two updates of the progress bar."""

When = Annotated[datetime | None, typer.Option(parser=parse_time, metavar="TIME", help="By the time of recording.")]


def export(  # noqa: PLR0913, PLR0917  # one parameter per option
    account: Annotated[
        UUID | None, typer.Option(parser=parse_id_option, metavar="ID", help="Events of this account, by id.")
    ] = None,
    file_format: Annotated[
        FileFormat,
        typer.Option(
            "--format",
            help="JSON lines with proofs, CSV for spreadsheets, OCSF for a SIEM, or Parquet: the published events, "
            "without personal data, in a file per day. Parquet continues after the files in the folder.",
        ),
    ] = FileFormat.JSONL,
    since: When = None,
    until: When = None,
    after: Annotated[
        int, typer.Option(parser=parse_position_option, metavar="POSITION", help="Start after this position.")
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: standard output. A folder for Parquet."),
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="The events of all accounts.")] = False,
    bom: Annotated[
        bool, typer.Option("--bom", help="Begin CSV with a byte order mark, so that Excel reads it as UTF-8.")
    ] = False,
    end_marker: Annotated[
        bool, typer.Option("--end-marker", help="Deprecated: end CSV and OCSF with a line that counts the events.")
    ] = False,
) -> None:
    """Copy recorded events, oldest first. A file gets its name when complete. The audit log records the export."""
    if everything is (account is not None):
        raise typer.BadParameter("give one of --account ID and --all")
    if since is not None and until is not None and until <= since:
        raise typer.BadParameter("must be after --since", param_hint="--until")
    if bom and file_format is not FileFormat.CSV:
        raise typer.BadParameter("is only for --format csv", param_hint="--bom")
    if end_marker and file_format not in {FileFormat.CSV, FileFormat.OCSF}:
        raise typer.BadParameter("is only for --format csv and ocsf", param_hint="--end-marker")
    export_filter = ExportFilter(account, since, until)
    if file_format is FileFormat.PARQUET:
        _export_parquet(export_filter, after, output)
        return
    export_format = ExportFormat(file_format)
    with suppress(BrokenPipeError), reporting_write_errors(output), open_service() as service:
        catch_up_history_views(service)
        started_export = _begin(service, export_filter, export_format, after)
        with _open(output) as file, progress_bar("exporting", is_shown=output is not None) as show_progress:
            exported_lines = lines(
                started_export,
                export_format,
                service.commands.activity_types.current(),
                end_marker_at=service.clock() if end_marker else None,
                has_byte_order_mark=bom,
            )
            _write(file, exported_lines, started_export, show_progress)
    if output is None:
        discard_unwritten_output()
    else:
        report(f"{output} holds {quantity(started_export.event_count, 'event')}")


def _export_parquet(export_filter: ExportFilter, after: int, output: Path | None) -> None:
    """Write the events that the folder does not have yet."""
    if output is None:
        raise typer.BadParameter("give a folder for --format parquet", param_hint="--output")
    if export_filter.since is not None or export_filter.until is not None:
        raise typer.BadParameter(
            "not for --format parquet, which has a file for each day", param_hint="--since, --until"
        )
    try:
        folder = ParquetFolder(output, export_filter.account_id)
        last_row = folder.last_row()
    except (ParquetNotInstalled, OtherSelection) as error:
        report(str(error))
        raise typer.Exit(1) from None
    if last_row is not None and after:
        raise typer.BadParameter(f"{output} has events, and is continued after the last one", param_hint="--after")
    with reporting_write_errors(output), open_service() as service:
        catch_up_history_views(service)
        if last_row is not None:
            service.queries.events.require_reached(last_row.position, last_row.epoch)
            after = last_row.position
        started_export = _begin(service, export_filter, PARQUET, after)
        with progress_bar("exporting", is_shown=True) as show_progress:
            envelopes = map(service.queries.events.envelope, started_export.recorded_events())
            file_count = folder.write(
                envelopes, lambda: show_progress(started_export.last_position, started_export.end_position)
            )
    new_events, new_files = quantity(started_export.event_count, "more event"), quantity(file_count, "new file")
    report(f"{output} has {new_events}, in {new_files}")


def _begin(service: Service, export_filter: ExportFilter, export_format: str, after: int) -> Export:
    """Begin an export of all events recorded so far, and record the export."""
    has_proofs = export_format == ExportFormat.JSONL
    if has_proofs:
        with suppress(KeyNotHeld, HistoryRewritten):  # the export then ends at the last checkpoint
            service.workers.checkpointer.sign_now()
    started_export = service.queries.exports.begin(export_filter, export_format, has_proofs=has_proofs, after=after)
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
    """Yield the output: stdout or a new file."""
    if output is None:
        yield sys.stdout.buffer
        return
    with new_file(output) as file:
        yield file
