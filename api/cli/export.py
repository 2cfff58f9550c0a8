"""Copies of what is recorded, written to a file."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from datetime import datetime  # typer reads the annotations
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, BinaryIO
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer
from rich.console import Console
from rich.progress import Progress as ProgressBar

from api.cli.moments import moment
from api.cli.ready import catch_up, ready_service
from api.cli.tail import let_go_of_stdout
from api.export_lines import Form, lines
from application.audit_reads import OPERATOR, Asked
from application.origin import Origin
from domain.cause import ActorType
from projections.checkpointer import HistoryRewritten, KeyNotHeld
from projections.exports import ExportFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap import Service
    from projections.exports import Export

LINES_A_STEP = 500
"""So many lines between two looks at how far it has come."""

When = Annotated[datetime | None, typer.Option(parser=moment, metavar="TIME", help="By the time of recording.")]


def export(  # noqa: PLR0913, PLR0917  # an option each
    account: Annotated[UUID | None, typer.Option(help="This account's events, by its id.")] = None,
    form: Annotated[Form, typer.Option("--format", help="With proofs, for spreadsheets, or for a SIEM.")] = Form.JSONL,
    since: When = None,
    until: When = None,
    after: Annotated[int, typer.Option(min=0, help="Begin after this position.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Else it goes to standard output.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="The events of all accounts.")] = False,
) -> None:
    """Take a copy of what is recorded, oldest first. The last line tells that it is whole. That you did is recorded."""
    if everything is (account is not None):
        raise typer.BadParameter("give one of --account ID and --all")
    wanted = ExportFilter(account, since, until)
    with suppress(BrokenPipeError), _told_of(output), ready_service() as service:
        catch_up(service)
        begun = _begun(service, wanted, form, after)
        with _open(output) as file, _bar(shown=output is not None) as show:
            _write(file, lines(begun, form, service.clock()), begun, show)
    if output is None:
        let_go_of_stdout()
    else:
        typer.echo(f"{output} holds {begun.events} events", err=True)


@contextmanager
def _told_of(output: Path | None) -> Iterator[None]:
    """Tell in one line why a file cannot be written."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) or output is None:
            raise
        typer.echo(f"subusers: {output}: {error.strerror}", err=True)
        raise typer.Exit(1) from None


def _begun(service: Service, wanted: ExportFilter, form: Form, after: int) -> Export:
    """Begin an export of all that there is by now, and record it."""
    if form.proven:
        with suppress(KeyNotHeld, HistoryRewritten):  # then the last checkpoint will have to do, or will tell
            service.checkpointer.make_now()
    begun = service.exports.begin(wanted, form, proven=form.proven, after=after)
    asked = Asked(wanted.account_id, since=wanted.since, until=wanted.until)
    service.audit_reads.note_exported(form, asked, Origin(ActorType.SYSTEM, OPERATOR), after)
    return begun


def _write(file: BinaryIO, told: Iterator[bytes], begun: Export, show: Callable[[int, int], None]) -> None:
    for number, line in enumerate(told):
        file.write(line)
        if number % LINES_A_STEP == 0:
            show(begun.position, begun.end)
    show(begun.end, begun.end)


@contextmanager
def _open(output: Path | None) -> Iterator[BinaryIO]:
    """Lend what to write to: a file that has its name once it is whole, readable by its owner alone."""
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


@contextmanager
def _bar(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Lend what shows how far it has come, on a terminal."""
    console = Console(stderr=True)
    with ProgressBar(console=console, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task("exporting", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=max(of, 1))
