"""Erasing whole accounts, and erasing again what a restored backup has brought back."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, TextIO
from uuid import UUID

import typer
from rich.progress import Progress as ProgressBar

from api.cli.ready import ready_service
from application.erasures import Erasure
from domain.events import PersonalDataErased
from domain.refusals import AccountNotFound
from projections.event_feed import FeedFilter
from projections.published_events import BY_TOPIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap import Service

AT_A_TIME = 1000
ERASED_TYPE = BY_TOPIC[PersonalDataErased.TOPIC].type


def erase_account(
    account_id: Annotated[UUID, typer.Argument(help="The account, by its id.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase everybody in an account for good, living or deleted, and its owner. It is closed first if it is open."""
    with ready_service() as service:
        try:
            people = len(service.vault.people_of(service.main_accounts.load(account_id).id))
        except AccountNotFound as error:
            typer.echo(f"subusers: {error}", err=True)
            raise typer.Exit(1) from None
        if not people:
            typer.echo(f"everybody in {account_id} has been erased before")
            return
        if not yes:
            _confirm(service, account_id, people)
        typer.echo(f"erased {service.erasures.erase_account(account_id)} people of {account_id}")


def erasures(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file; without one, stdout.")] = None,
) -> None:
    """List everybody who was ever erased, by ids alone: keep it apart from the database, for `erase --reapply`."""
    with ready_service() as service:
        if output is None:
            count = _write(service, sys.stdout)
        else:
            with output.open("w", encoding="utf-8") as file:
                count = _write(service, file)
    typer.echo(f"{count} erasures", err=True)


def erase(
    reapply: Annotated[
        Path, typer.Option(help="What `subusers erasures` wrote, or events of that type, one JSON object a line.")
    ],
) -> None:
    """Erase again, in a database restored from a backup, whoever had been erased when it was lost."""
    wanted = _read(reapply)
    again = 0
    with ready_service() as service, ProgressBar() as bar:
        for one in bar.track(wanted, description="erasing"):
            again += service.erasures.reapply(one)
    typer.echo(f"erased {again} again; of {len(wanted) - again} there was nothing here")


def _confirm(service: Service, account_id: UUID, people: int) -> None:
    entry = service.vault.entries([account_id]).get(account_id)
    account = service.main_accounts.load(account_id)
    name = entry.key.open("company_name", account.company_name) if entry is not None else "[erased]"
    state = "closed" if account.closed_at is not None else "open: it will be closed"
    typer.confirm(f"{name} ({account_id}) is {state}. Erase its {people} people for good?", abort=True)


def _erased(service: Service) -> Iterator[dict[str, Any]]:
    wanted, position, end = FeedFilter(frozenset({ERASED_TYPE})), 0, service.event_feed.end()
    with ProgressBar(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("looking for erasures", total=max(end, 1))
        while True:
            page = service.event_feed.page(position, AT_A_TIME, wanted)
            for event in page.items:
                yield {
                    "position": event["position"],
                    "erased_at": event["time"],
                    "account_id": event["accountid"],
                    "sub_user_id": event.get("subject"),
                }
            position = page.position
            bar.update(task, completed=min(position, end))
            if not page.more:
                return


def _write(service: Service, out: TextIO) -> int:
    count = 0
    for one in _erased(service):
        out.write(json.dumps(one, separators=(",", ":")) + "\n")
        count += 1
    return count


def _read(file: Path) -> list[Erasure]:
    """Return what a file names, whichever of the two forms a line has."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="--reapply") from None
    found = (_read_line(file, number, line) for number, line in enumerate(lines, start=1))
    return [one for one in found if one is not None]


def _read_line(file: Path, number: int, line: str) -> Erasure | None:
    try:
        return _erasure(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise typer.BadParameter(f"{file}: line {number} names no erasure", param_hint="--reapply") from None


def _erasure(line: dict[str, Any]) -> Erasure | None:
    """Return the erasure of a line; None for an event of another type."""
    if "specversion" in line:
        if line["type"] != ERASED_TYPE:
            return None
        line = {"account_id": line["accountid"], "sub_user_id": line.get("subject")}
    sub_user_id = line["sub_user_id"]
    return Erasure(UUID(line["account_id"]), UUID(sub_user_id) if sub_user_id is not None else None)
