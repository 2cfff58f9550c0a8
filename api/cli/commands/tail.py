"""`subusers tail`: events as they happen, read from the database."""

from __future__ import annotations

import json
import select
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer
from rich.padding import Padding
from rich.text import Text

from api.cli.options import parse_id_option, parse_position_option
from api.cli.output import EVENT_COLORS, console, discard_unwritten_output, line_width, report, write_json
from api.cli.startup import open_service
from application.errors import StoreUnavailable, StoreWentBack
from projections.feed.event_catalog import BY_TYPE, PREFIX
from projections.feed.pages import FeedFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from api.bootstrap.service import Service

PAGE_SIZE = 1000
READER_CHECK_SECONDS = 0.5
"""Interval between checks whether stdout still has a reader."""

RETRY_SECONDS = 1.0
NARROW_TYPE_WIDTH = 36
"""Width of types in lines of 80 columns. The few longer types belong to events of short actors."""

INDENT = 4
"""Indentation in columns. Two ids fit into the other columns of 80."""

TYPE_WIDTH = max(len(event_type.removeprefix(PREFIX)) for event_type in BY_TYPE)

ONE_LINE_WIDTH = 8 + 19 + TYPE_WIDTH + 36 + 36 + 12 + 5
"""Columns of a line without further data: position, time, type, account, sub-user, actor, and five spaces."""


def tail(
    start: Annotated[
        int | None,
        typer.Option(
            "--from",
            parser=parse_position_option,
            metavar="POSITION",
            help="Start after this position; 0 is the beginning. Default: now.",
        ),
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="Only this type; repeat for more.")
    ] = None,
    account: Annotated[
        UUID | None, typer.Option(parser=parse_id_option, metavar="ID", help="Only this account's events, by id.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one published envelope per line.")] = False,
) -> None:
    """Show events as they happen, from now on or from a position, until Ctrl-C."""
    feed_filter = FeedFilter(_full_types(types))
    show = _print_json if as_json else _printer()
    with suppress(KeyboardInterrupt, BrokenPipeError), open_service() as service:
        if account is not None:
            service.main_accounts.load(account)  # an unknown account would look like one without events
        end = service.queries.events.end()
        if start is not None and start > end:
            raise typer.BadParameter(f"the history ends at {end}", param_hint="--from")
        for event in _events(service, end if start is None else start, feed_filter):
            if account is None or event.get("accountid") == str(account):
                show(event)
    discard_unwritten_output()


def _printer() -> Callable[[dict[str, Any]], None]:
    """Return the function that prints an event: in one line if lines may be that long, else in several."""
    width = line_width()
    if width is None or width >= ONE_LINE_WIDTH:
        return partial(_print_line, console())
    return partial(_print_paragraph, console(width=width))


def _full_types(types: list[str] | None) -> frozenset[str] | None:
    """Return full event types: `sub_user.created` means `subusers.sub_user.created.v1`. Raises `typer.BadParameter`."""
    if not types:
        return None
    full = {name if name in BY_TYPE else f"{PREFIX}{name}.v1" for name in types}
    unknown = sorted(full - BY_TYPE.keys())
    if unknown:
        raise typer.BadParameter(f"there is no type {unknown[0]}: /asyncapi.json lists them", param_hint="--type")
    return frozenset(full)


def _events(service: Service, position: int, feed_filter: FeedFilter) -> Iterator[dict[str, Any]]:
    """Yield events while stdout has a reader. Survives lost connections to the database."""
    is_unavailable, epoch = False, service.lineage.epoch
    with service.queries.event_tail.watched():
        while not _has_lost_reader():
            try:
                page = service.queries.events.page(position, PAGE_SIZE, feed_filter)
            except StoreUnavailable as error:
                if not is_unavailable:
                    report(f"{error} Retrying.")
                is_unavailable = True
                time.sleep(RETRY_SECONDS)
                continue
            is_unavailable = False
            if page.epoch != epoch:
                raise StoreWentBack(page.epoch, None)
            yield from page.items
            sys.stdout.flush()
            position = page.position
            if not page.more:
                service.queries.event_tail.wait_beyond(position, READER_CHECK_SECONDS)


def _print_json(event: dict[str, Any]) -> None:
    write_json(json.dumps(event, separators=(",", ":")))


def _print_line(terminal: Console, event: dict[str, Any]) -> None:
    """Print position, time, type, account, sub-user and actor, then the other data, in one line."""
    data = dict(event["data"])
    actor = data.pop("actor", {}).get("type", "")
    terminal.print(
        Text.assemble(
            *_beginning(event, TYPE_WIDTH),
            f"{event.get('accountid', ''):<36} {event.get('subject', ''):<36} ",
            (f"{actor:<12} ", "cyan"),
            (" ".join(f"{name}={json.dumps(value)}" for name, value in data.items()), "dim"),
        )
    )


def _print_paragraph(terminal: Console, event: dict[str, Any]) -> None:
    """Print position, time, type and actor; below them account and sub-user, and the other data, folded."""
    data = dict(event["data"])
    actor = data.pop("actor", {}).get("type", "")
    terminal.print(Text.assemble(*_beginning(event, NARROW_TYPE_WIDTH), (actor, "cyan")))
    ids = f"{event.get('accountid', '')} {event.get('subject', '')}".strip()
    facts = Text(" ".join(f"{name}={json.dumps(value)}" for name, value in data.items()), "dim")
    for line in (Text(ids), facts):
        if line.plain:
            terminal.print(Padding(line, (0, 0, 0, INDENT), expand=False), soft_wrap=False)


def _beginning(event: dict[str, Any], type_width: int) -> Iterator[str | tuple[str, str]]:
    """Yield the styled columns position, time and type."""
    short_type = event["type"].removeprefix(PREFIX)
    yield f"{event['position']:>8} ", "dim"
    yield f"{event['time'][:19].replace('T', ' ')} "
    yield f"{short_type:<{type_width}} ", EVENT_COLORS.get(short_type.split(".")[1], "blue")


def _has_lost_reader() -> bool:
    """Return whether stdout's reader has closed it. Does not write, because there may be nothing to print."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0))
