"""Events as they happen, on the operator's terminal: straight from the database."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer
from rich.console import Console
from rich.text import Text

from api.cli.ready import ready_service
from application.errors import StoreUnavailable
from projections.event_feed import FeedFilter
from projections.published_events import BY_TYPE, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap import Service

AT_A_TIME = 1000
LOOK_UP_SECONDS = 0.5
"""How often it looks whether anybody still reads."""

AGAIN_AFTER_SECONDS = 1.0
LONGEST_WORD = max(len(one.removeprefix(PREFIX)) for one in BY_TYPE)
COLORS = {
    "login_refused": "red",
    "locked_out": "red",
    "credentials_mail_failed": "red",
    "disabled": "red",
    "deleted": "magenta",
    "closed": "magenta",
    "personal_data_erased": "magenta",
    "created": "green",
    "registered": "green",
    "activated": "green",
    "deactivated": "yellow",
    "password_reset": "yellow",
}
"""What kinds of events stand out, by the last word of their type; all others are blue."""


def tail(
    start: Annotated[
        int | None, typer.Option("--from", min=0, help="Begin after this position; 0 is the beginning.")
    ] = None,
    types: Annotated[list[str] | None, typer.Option("--type", help="This type alone; may be given again.")] = None,
    account: Annotated[UUID | None, typer.Option(help="This account's events alone, by its id.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One envelope a line, as it is published.")] = False,
) -> None:
    """Show events as they happen, until Ctrl-C: from now on, or from a position."""
    wanted = FeedFilter(_known(types))
    show = _print_json if as_json else partial(_print_line, Console(highlight=False, soft_wrap=True))
    with suppress(KeyboardInterrupt, BrokenPipeError), ready_service() as service:
        end = service.event_feed.end()
        if start is not None and start > end:
            raise typer.BadParameter(f"the history ends at {end}", param_hint="--from")
        for event in _events(service, end if start is None else start, wanted):
            if account is None or event.get("accountid") == str(account):
                show(event)
    let_go_of_stdout()


def _known(types: list[str] | None) -> frozenset[str] | None:
    """Return the types in full. `sub_user.created` stands for `subusers.sub_user.created.v1`."""
    if not types:
        return None
    full = {one if one in BY_TYPE else f"{PREFIX}{one}.v1" for one in types}
    unknown = sorted(full - BY_TYPE.keys())
    if unknown:
        raise typer.BadParameter(f"there is no type {unknown[0]}: /asyncapi.json lists them", param_hint="--type")
    return frozenset(full)


def _events(service: Service, position: int, wanted: FeedFilter) -> Iterator[dict[str, Any]]:
    """Yield events for as long as somebody reads, through lost connections to the database."""
    away = False
    with service.event_tail.watched():
        while not _reader_is_gone():
            try:
                page = service.event_feed.page(position, AT_A_TIME, wanted)
            except StoreUnavailable as error:
                if not away:
                    typer.echo(f"subusers: {error} It is tried again until it can.", err=True)
                away = True
                time.sleep(AGAIN_AFTER_SECONDS)
                continue
            away = False
            yield from page.items
            sys.stdout.flush()
            position = page.position
            if not page.more:
                service.event_tail.wait_beyond(position, LOOK_UP_SECONDS)


def _print_json(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event, separators=(",", ":")) + "\n")


def _print_line(console: Console, event: dict[str, Any]) -> None:
    """Print position, time, kind, and whom it is about; then what else there is to it."""
    word = event["type"].removeprefix(PREFIX)
    color = COLORS.get(word.split(".")[1], "blue")
    data = dict(event["data"])
    actor = data.pop("actor", {}).get("type", "")
    console.print(
        Text.assemble(
            (f"{event['position']:>8} ", "dim"),
            f"{event['time'][:19].replace('T', ' ')} ",
            (f"{word:<{LONGEST_WORD}} ", color),
            f"{event.get('accountid', ''):<36} {event.get('subject', ''):<36} ",
            (f"{actor:<12} ", "cyan"),
            (" ".join(f"{name}={json.dumps(value)}" for name, value in data.items()), "dim"),
        )
    )


def _reader_is_gone() -> bool:
    """Say whether nobody reads any more what is written, though there may be nothing to write."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0))


def let_go_of_stdout() -> None:
    """Have what could not be written any more not be missed when Python ends."""
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
