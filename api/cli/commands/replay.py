"""`subusers replay`: the history of an account, and who had access at a given time."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer

from api.cli.options import parse_id_option
from api.cli.output import console, discard_unwritten_output, write_json
from api.cli.startup import catch_up_history_views, open_service
from api.cli.timeline import show_entry, show_state
from api.cli.timestamps import parse_time
from api.http.resources.history.schemas import HistoryEndAnswer, HistoryEntryAnswer
from api.presentation.history_descriptions import history_entry_fields
from application.command_context import CommandContext
from application.commands.audit_access import OPERATOR, AuditAccess
from application.errors import InvalidValue
from domain.event_metadata import ActorType, ReadTarget
from projections.history.queries import HistoryFilter

if TYPE_CHECKING:
    from datetime import date

    from application.commands.activity_types import ActivityTypes
    from projections.history.queries import Replay

ENTRY, END = HistoryEntryAnswer(), HistoryEndAnswer()


def replay(
    account: Annotated[UUID, typer.Option(parser=parse_id_option, metavar="ID", help="The account's id.")],
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=parse_time, metavar="TIME", help="Such as 2026-05-01T00:00:00Z; default: now."),
    ] = None,
    sub_user: Annotated[
        UUID | None, typer.Option(parser=parse_id_option, metavar="ID", help="Only this sub-user, by id.")
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one event per line, and the state in the last line.")
    ] = False,
) -> None:
    """Show the history of an account, oldest first, and who had access at a given time. The audit log records this."""
    history_filter = HistoryFilter(as_of, sub_user)
    with suppress(BrokenPipeError), open_service() as service:
        catch_up_history_views(service)
        try:
            history = service.queries.history.replay(account, history_filter)
        except InvalidValue as error:
            raise typer.BadParameter(error.reason, param_hint="--as-of") from None
        access, operator = AuditAccess(account, sub_user), CommandContext(ActorType.SYSTEM, OPERATOR)
        service.commands.audit_access.record_access(ReadTarget.HISTORY, access, operator, as_of)
        (_print_json if as_json else _print_timeline)(history, service.commands.activity_types.current())
    discard_unwritten_output()


def _print_json(history: Replay, activity_types: ActivityTypes) -> None:
    for entry in history:
        write_json(ENTRY.to_json(history_entry_fields(entry, activity_types)).decode())
    write_json(END.to_json(history).decode())


def _print_timeline(history: Replay, activity_types: ActivityTypes) -> None:
    terminal = console()
    day: date | None = None
    for entry in history:
        day = show_entry(terminal, entry, activity_types, day)
    show_state(terminal, history.state)
