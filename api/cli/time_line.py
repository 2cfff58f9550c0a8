"""A history as people read it on a terminal: by days, each event in words, with what it changed below."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from api.cli.moments import written
from api.cli.tables import show
from api.cli.tail import COLORS
from api.history_words import in_words
from application.resources import ERASED
from domain.cause import ActorType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from projections.account_states import AccountState, SubUserState
    from projections.history_walk import HistoryEntry

WHY_NOT = {
    "account_closed": "the account was closed",
    "locked": "locked",
    "inactive": "inactive",
    "expired": "access had ended",
}


def show_entry(console: Console, entry: HistoryEntry, day: date | None) -> date:
    """Print one event, under the heading of its day unless that is there already, and return the day."""
    at = entry.row.recorded_at.astimezone(UTC)
    if at.date() != day:
        console.print(Text(f"\n{at:%A, %-d %B %Y}", style="bold"))
    color = COLORS.get(entry.row.action.partition(".")[2], "default")
    console.print(Text.assemble((f"  {at:%H:%M:%S}  ", "cyan"), (in_words(entry), color)))
    console.print(Text(f"            {' · '.join(_circumstances(entry))}", style="dim"))
    for name, change in entry.changes.items():
        before = () if change.before is None else ((_value(change.before), "red"), " → ")
        console.print(Text.assemble((f"            {name}: ", "dim"), *before, (_value(change.after), "green")))
    return at.date()


def show_state(console: Console, state: AccountState | None) -> None:
    """Print what a history amounts to."""
    console.print()
    if state is None:
        console.print("There was no account yet.")
        return
    console.print(Text(f"{state.company_name} as of {written(state.as_of)} UTC", style="bold"))
    facts = (state.email, state.status, f"at most {state.sub_user_limit} sub-users", f"id {state.account_id}")
    console.print(Text(f"  {', '.join(facts)}"))  # as it is: [erased] is no markup
    console.print(Text(f"  {state.with_access} had access", style="green" if state.with_access else "yellow"))
    table = Table("name", "e-mail", "access", "ends", "last login", "id", box=None)
    for one in state.sub_users:
        table.add_row(*_cells(one))
    if state.sub_users:
        show(table)


def _cells(one: SubUserState) -> tuple[Any, ...]:
    access = Text("yes", "green") if one.has_access else Text(f"no: {WHY_NOT[one.why_no_access or '']}", "red")
    times = [written(at) if at is not None else "" for at in (one.access_expires_at, one.last_login_at)]
    name = one.name if one.name == ERASED else f"{one.name} {one.surname}"
    return Text(name), Text(one.email), access, *times, str(one.sub_user_id)


def _circumstances(entry: HistoryEntry) -> Iterator[str]:
    """Give by whom, from where, why, and where it stands."""
    row = entry.row
    yield f"#{row.position}"
    yield "by somebody unknown" if row.actor["type"] == ActorType.ANONYMOUS else f"by {_actor(row.actor)}"
    for label, value in (("from", row.ip), ("with", row.user_agent), ("because", row.reason)):
        if value is not None:
            yield f"{label} {value}"
    if row.occurred_at != row.recorded_at:
        yield f"occurred {written(row.occurred_at.astimezone(UTC))}"
    yield row.action


def _actor(actor: dict[str, str | None]) -> str:
    kind = str(actor["type"]).replace("_", " ")
    who = actor["name"] or actor["id"]
    return f"{kind} {who}" if who else kind


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return written(value.astimezone(UTC))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
