"""The history of an account on the terminal: what happened, and who had access at a moment."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import datetime  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer
from rich.console import Console

from api.cli.moments import moment
from api.cli.ready import catch_up, ready_service
from api.cli.tail import let_go_of_stdout
from api.cli.time_line import show_entry, show_state
from api.history_words import told
from api.http.history_schemas import HistoryEndAnswer, HistoryEntryAnswer
from application.audit_reads import OPERATOR, Asked
from application.origin import Origin
from domain.cause import ActorType, Reading
from projections.history import HistoryFilter

if TYPE_CHECKING:
    from projections.history import Replay

ENTRY, END = HistoryEntryAnswer(), HistoryEndAnswer()


def replay(
    account: Annotated[UUID, typer.Option(help="The account's id.")],
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="TIME", help="Such as 2026-05-01T00:00:00Z; now if not given."),
    ] = None,
    sub_user: Annotated[UUID | None, typer.Option(help="About this sub-user alone, by their id.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One event a line, and the state in the last one.")] = False,
) -> None:
    """Show what happened in an account, oldest first, and who had access at a moment. That you did is recorded."""
    wanted = HistoryFilter(as_of, sub_user)
    with suppress(BrokenPipeError), ready_service() as service:
        catch_up(service)
        history = service.history.replay(account, wanted)
        asked, operator = Asked(account, sub_user), Origin(ActorType.SYSTEM, OPERATOR)
        service.audit_reads.note_read(Reading.HISTORY, asked, operator, as_of)
        (_print_json if as_json else _print_time_line)(history)
    let_go_of_stdout()


def _print_json(history: Replay) -> None:
    for entry in history:
        _print_line(ENTRY.written(told(entry)))
    _print_line(END.written(history))


def _print_line(line: bytes) -> None:
    sys.stdout.write(f"{line.decode()}\n")


def _print_time_line(history: Replay) -> None:
    console = Console(highlight=False, soft_wrap=True)
    day: Any = None
    for entry in history:
        day = show_entry(console, entry, day)
    show_state(console, history.state)
