"""Printable report of an evidence pack, as one HTML file without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from application.display_text import escape_unprintable, quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from application.transparency.checkpoint import AcceptedLoss

REASONS = {
    "account_closed": "the account was closed",
    "inactive": "inactive",
    "locked": "locked",
    "expired": "access had ended",
    "temporary_password_expired": "the temporary password had expired",
}
"""Reasons for having no access, in words."""


@dataclass(frozen=True)
class Report:
    """Contents of a report. `events` are the members `shown` of the events of the history, in order.

    The states are those of the API's history, None before the account was registered. Counts are by action.
    """

    account_id: str
    since: str
    until: str
    checkpoint: Mapping[str, Any]
    losses: Sequence[AcceptedLoss]
    keys: Sequence[str]
    state_at_start: Mapping[str, Any] | None
    state_at_end: Mapping[str, Any] | None
    counts: Sequence[tuple[str, int]]
    events: Iterable[Mapping[str, Any]]

    @property
    def title(self) -> str:
        """The title, with the company's name if the account existed."""
        state = self.state_at_end
        return f"Evidence for {state['company_name']}" if state else "Evidence"

    def write(self, path: Path) -> None:
        """Write the report to a file."""
        template = _templates().get_template("report.html")
        template.stream(
            report=self,
            reasons=REASONS,
            quantity=quantity,
            event_cells=event_cells,
            minutes=_minutes,
            total=sum(n for _, n in self.counts),
        ).dump(str(path), encoding="utf-8")


def readme(**values: Any) -> str:
    """Return the text that explains the files of a pack and how to verify them."""
    return _templates().get_template("README.txt").render(**values)


def event_cells(shown: Mapping[str, Any]) -> Sequence[Any]:
    """Return the cells of an event. `tools/verify_export.py` compares them with the history."""
    actor = shown["actor"]
    return (
        shown["position"],
        shown["recorded_at"][:19].replace("T", " "),
        shown["in_words"],
        shown["action"],
        actor["type"] if actor["name"] is None else f"{actor['type']}: {actor['name']}",
        actor["person"],
        shown["reason"],
    )


def _minutes(time: str | None) -> str:
    """Return a time of the API to the minute."""
    return time[:16].replace("T", " ") if time else ""


def _printable(value: Any) -> str:
    return "" if value is None else escape_unprintable(str(value))


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(enabled_extensions=("html",)),
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
