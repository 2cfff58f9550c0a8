"""What the documentation says of names, fields, settings and errors is what the code says."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from application import errors
from domain import events, refusals
from projections.audit_actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
TOPICS: list[Any] = [one for one in vars(events).values() if isinstance(one, type) and hasattr(one, "TOPIC")]
NOT_SHOWN = {"originator_id", "originator_version"}
OF_EVERY_EVENT = {field.name for field in fields(events.MainAccountClosed)}


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def rows(page: str, first_cell: str) -> list[list[str]]:
    """Return the cells of every table row whose first cell matches."""
    lines = [line.strip("| ").split("|") for line in text_of(page).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in cells] for cells in lines if re.fullmatch(first_cell, cells[0].strip())]


@pytest.mark.parametrize("event_class", TOPICS, ids=lambda one: one.TOPIC)
def test_every_event_is_in_the_catalog(event_class: Any) -> None:
    """With exactly its own fields, and those marked that are sealed."""
    own = NOT_SHOWN if issubclass(event_class, events.ReportedEvent) else OF_EVERY_EVENT
    expected = {(field.name, "Sealed" in str(field.type)) for field in fields(event_class) if field.name not in own}
    ((_, shown, _),) = rows("docs/events.md", f"`{event_class.TOPIC}`")
    assert {(name, bool(sealed)) for name, sealed in re.findall(r"`(\w+)`( 🔒)?", shown)} == expected


def test_every_action_of_the_audit_log_is_listed() -> None:
    listed = {topic.strip("`"): action.strip("`") for action, topic in rows("docs/auditing.md", r"`\w+\.\w+`")}
    assert listed == ACTIONS


def test_every_setting_is_listed() -> None:
    read = set(re.findall(r'env\.\w+\("(\w+)"', text_of("api/config.py")))
    assert {cells[0].strip("`") for cells in rows("docs/operating.md", r"`SUBUSERS_\w+`")} == {
        f"SUBUSERS_{one}" for one in read
    }


def codes() -> Iterator[str]:
    for module in (refusals, errors):
        for one in vars(module).values():
            if isinstance(one, type) and hasattr(one, "code") and one not in {refusals.Refusal, errors.ServiceError}:
                yield one.code
    for file in (ROOT / "api" / "http").glob("*.py"):
        yield from re.findall(r'HTTPStatus\.[A-Z_]+,\s+"([a-z-]+)"', file.read_text())


@pytest.mark.parametrize("code", sorted({*codes(), "invalid-input", "not-found", "method-not-allowed"} - {"forbidden"}))
def test_every_kind_of_problem_is_listed(code: str) -> None:
    """All but `forbidden`: it is of a route that forgot to say whom it opens to, and there is none."""
    assert rows("docs/portal.md", f"`{code}`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_referred_to_is_there(page: Path) -> None:
    """Links, headings that are linked to, and files that are named."""
    text = page.read_text()
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}, heading
    for file in re.findall(r"`((?:domain|application|projections|adapters|api|tests|examples)/[\w./-]+\.\w+)`", text):
        assert (ROOT / file).exists(), file
