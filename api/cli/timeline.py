"""An account's history as a timeline on the terminal: grouped by day, each event as a sentence with its changes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from api.cli.output import EVENT_COLORS, cell, print_records
from api.cli.timestamps import format_time
from api.presentation.history_descriptions import describe_entry
from application.commands.resources import ERASED
from application.display_text import quantity
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from application.commands.activity_types import ActivityTypes
    from projections.history.account_state import AccountState, SubUserState
    from projections.history.reader import HistoryEntry

NO_ACCESS_REASONS = {
    "account_closed": "the account was closed",
    "locked": "locked",
    "inactive": "inactive",
    "expired": "access had ended",
    "temporary_password_expired": "temporary password expired",
}


def show_entry(console: Console, entry: HistoryEntry, activity_types: ActivityTypes, day: date | None) -> date:
    """Print an event and return its day. Print a heading first, unless the day is `day`."""
    at = entry.row.recorded_at.astimezone(UTC)
    if at.date() != day:
        console.print(Text(f"\n{at:%A, %-d %B %Y}", style="bold"))
    color = EVENT_COLORS.get(entry.row.action.partition(".")[2], "default")
    console.print(Text.assemble((f"  {at:%H:%M:%S}  ", "cyan"), (describe_entry(entry, activity_types), color)))
    console.print(Text(f"            {' · '.join(_circumstances(entry))}", style="dim"))
    for name, change in entry.changes.items():
        before = () if change.before is None else ((_value(change.before), "red"), " → ")
        console.print(Text.assemble((f"            {name}: ", "dim"), *before, (_value(change.after), "green")))
    return at.date()


def show_state(console: Console, state: AccountState | None) -> None:
    """Print the state of the account at the end of the history."""
    console.print()
    if state is None:
        console.print("There was no account yet.")
        return
    console.print(Text(f"{state.company_name} as of {format_time(state.as_of)} UTC", style="bold"))
    facts = (
        state.email,
        state.status,
        f"at most {quantity(state.sub_user_limit, 'sub-user')}",
        f"id {state.account_id}",
    )
    console.print(Text(f"  {', '.join(facts)}"))  # as Text, because [erased] would be parsed as markup
    console.print(Text(f"  {state.with_access} had access", style="green" if state.with_access else "yellow"))
    if state.sub_users:
        print_records(("name", "e-mail", "access", "ends", "last login", "id"), list(map(_cells, state.sub_users)))


def _cells(sub_user: SubUserState) -> Sequence[Text]:
    reason = NO_ACCESS_REASONS[sub_user.no_access_reason or ""] if not sub_user.has_access else ""
    access = Text("yes", "green") if sub_user.has_access else Text(f"no: {reason}", "red")
    times = [format_time(at) if at is not None else "" for at in (sub_user.access_expires_at, sub_user.last_login_at)]
    name = sub_user.name if sub_user.name == ERASED else f"{sub_user.name} {sub_user.surname}"
    return cell(name), cell(sub_user.email), access, *map(cell, (*times, str(sub_user.sub_user_id)))


def _circumstances(entry: HistoryEntry) -> Iterator[str]:
    """Yield position, actor, origin, reason and action of an event."""
    row = entry.row
    yield f"#{row.position}"
    yield "by an unknown person" if row.actor["type"] == ActorType.ANONYMOUS else f"by {_actor(row.actor)}"
    circumstances = {
        "in person": row.actor["person"],
        "from": row.ip,
        "with": row.user_agent,
        "because": row.reason,
    }
    for label, value in circumstances.items():
        if value is not None:
            yield f"{label} {value}"
    if row.occurred_at != row.recorded_at:
        yield f"occurred {format_time(row.occurred_at.astimezone(UTC))}"
    yield row.action


def _actor(actor: dict[str, str | None]) -> str:
    kind = str(actor["type"]).replace("_", " ")
    identity = actor["name"] or actor["id"]
    return f"{kind} {identity}" if identity else kind


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return format_time(value.astimezone(UTC))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
