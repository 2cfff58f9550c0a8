"""Commands that erase accounts, list erasures, and repeat them after a restore."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, TextIO
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer

from api.cli.options import AsJson, parse_id_option
from api.cli.output import confirm, echo, print_json, progress_bar, report
from api.cli.startup import open_service
from api.strict_parsing import parse_id
from application.commands.resources import ERASED
from application.display_text import quantity
from application.workers.erasure import Erasure
from domain.events import PersonalDataErased
from projections.feed.event_catalog import BY_TOPIC
from projections.feed.pages import FeedFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap.service import Service

PAGE_SIZE = 1000
ERASED_TYPE = BY_TOPIC[PersonalDataErased.TOPIC].type


def erase_account(
    account_id: Annotated[UUID, typer.Argument(parser=parse_id_option, help="The account's id.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase the owner and all sub-users of an account permanently, also deleted ones. Closes an open account first."""
    with open_service() as service:
        people = len(service.vault.person_ids_of(service.main_accounts.load(account_id).id))
        if people and not yes:
            _confirm(service, account_id, people)
        erased = service.commands.erasures.erase_account(account_id) if people else 0
    if as_json:
        print_json({"account_id": account_id, "erased": erased})
    else:
        erased_people = quantity(erased, "person", "people")
        echo(f"erased {erased_people} of {account_id}" if people else f"all people of {account_id} were erased before")


def erasures(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The file; default: stdout.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Has no effect: the list is always JSON.")] = False,  # noqa: ARG001  # accepted for uniformity
) -> None:
    """List all erasures by ids, for `erase --reapply`. Store the list apart from the database."""
    with open_service() as service:
        if output is None:
            count = _write_erasures(service, sys.stdout)
        else:
            with output.open("w", encoding="utf-8") as file:
                count = _write_erasures(service, file)
    report(quantity(count, "erasure"))


def erase(
    reapply: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Output of `subusers erasures`, or published erasure events, one JSON object per line.",
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Repeat erasures in a database that was restored from a backup."""
    listed = _read_erasures(reapply)
    repeated = 0
    with open_service() as service, progress_bar("erasing") as show_progress:
        for number, erasure in enumerate(listed, start=1):
            repeated += service.commands.erasures.reapply(erasure)
            show_progress(number, len(listed))
    skipped = len(listed) - repeated
    if as_json:
        print_json({"erased": repeated, "skipped": skipped})
    else:
        echo(f"erased {repeated} again; skipped {skipped} without data in this database")


def _confirm(service: Service, account_id: UUID, people: int) -> None:
    entry = service.vault.entries([account_id]).get(account_id)
    account = service.main_accounts.load(account_id)
    name = entry.key.decrypt("company_name", account.company_name) if entry is not None else ERASED
    state = "closed" if account.closed_at is not None else "open: it will be closed"
    confirm(f"{name} ({account_id}) is {state}. Erase {quantity(people, 'person', 'people')} for good?")


def _recorded_erasures(service: Service) -> Iterator[dict[str, Any]]:
    """Yield all erasures in the history, oldest first, in the format of `subusers erasures`."""
    erasures_only, position, end = FeedFilter(frozenset({ERASED_TYPE})), 0, service.queries.events.end()
    with progress_bar("looking for erasures") as show_progress:
        while True:
            page = service.queries.events.page(position, PAGE_SIZE, erasures_only)
            for event in page.items:
                yield {
                    "position": event["position"],
                    "erased_at": event["time"],
                    "account_id": event["accountid"],
                    "sub_user_id": event.get("subject"),
                }
            position = page.position
            show_progress(min(position, end), end)
            if not page.more:
                return


def _write_erasures(service: Service, out: TextIO) -> int:
    count = 0
    for erasure in _recorded_erasures(service):
        out.write(json.dumps(erasure, separators=(",", ":")) + "\n")
        count += 1
    return count


def _read_erasures(file: Path) -> list[Erasure]:
    """Return the erasures in a file. Each line is one of `subusers erasures`, or a published event."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="--reapply") from None
    parsed = (_read_line(file, number, line) for number, line in enumerate(lines, start=1))
    return [erasure for erasure in parsed if erasure is not None]


def _read_line(file: Path, number: int, line: str) -> Erasure | None:
    try:
        return _parse_erasure(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise typer.BadParameter(f"{file}: line {number} names no erasure", param_hint="--reapply") from None


def _parse_erasure(line: dict[str, Any]) -> Erasure | None:
    """Return the erasure of a line; None for an event of another type."""
    if "specversion" in line:
        if line["type"] != ERASED_TYPE:
            return None
        line = {"account_id": line["accountid"], "sub_user_id": line.get("subject")}
    sub_user_id = line["sub_user_id"]
    return Erasure(parse_id(line["account_id"]), parse_id(sub_user_id) if sub_user_id is not None else None)
