"""The documentation lists the events, settings and errors of the code, and its links work."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from api.deprecated_names import DEPRECATED_NAMES, Kind, deprecated_names
from domain import events
from projections.audit_log.actions import ACTIONS
from tests.problem_codes import problem_codes

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
EVENT_CLASSES: list[Any] = [
    value for value in vars(events).values() if isinstance(value, type) and hasattr(value, "TOPIC")
]
CODE_FOLDERS = ("adapters", "api", "application", "domain", "projections", "subusers", "tools")
STREAM_FIELDS = {"originator_id", "originator_version"}
COMMON_FIELDS = {field.name for field in fields(events.MainAccountClosed)}


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def rows(page: str, first_cell: str) -> list[list[str]]:
    """Return the cells of every table row whose first cell matches."""
    lines = [line.strip("| ").split("|") for line in text_of(page).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in cells] for cells in lines if re.fullmatch(first_cell, cells[0].strip())]


@pytest.mark.parametrize("event_class", EVENT_CLASSES, ids=lambda event_class: event_class.TOPIC)
def test_every_event_is_documented(event_class: Any) -> None:
    """Its row lists exactly its own fields, and marks the encrypted ones."""
    inherited = STREAM_FIELDS if issubclass(event_class, events.ReportedEvent) else COMMON_FIELDS
    expected = {
        (field.name, "Ciphertext" in str(field.type)) for field in fields(event_class) if field.name not in inherited
    }
    ((_, documented, _),) = rows("docs/events.md", f"`{event_class.TOPIC}`")
    assert {(name, bool(lock)) for name, lock in re.findall(r"`(\w+)`( 🔒)?", documented)} == expected


def test_every_action_of_the_audit_log_is_listed() -> None:
    listed = {topic.strip("`"): action.strip("`") for action, topic in rows("docs/auditing.md", r"`\w+\.\w+`")}
    assert listed == ACTIONS


def test_every_setting_is_listed() -> None:
    variables = set(re.findall(r'env\.\w+\("(\w+)"', text_of("api/bootstrap/config.py")))
    listed = {cells[0].strip("`") for cells in rows("docs/operating.md", r"`SUBUSERS_\w+`")}
    assert listed == {f"SUBUSERS_{variable}" for variable in variables}


@pytest.mark.parametrize(
    "code", sorted({*problem_codes(), "invalid-input", "not-found", "method-not-allowed"} - {"forbidden"})
)
def test_every_problem_type_is_documented(code: str) -> None:
    """Except `forbidden`: only a route without required scopes answers it, and no such route exists."""
    assert rows("docs/portal.md", f"`{code}`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_anchors_and_file_paths_exist(page: Path) -> None:
    text = page.read_text()
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}, heading
    for file in re.findall(r"`((?:domain|application|projections|adapters|api|tests|examples)/[\w./-]+\.\w+)`", text):
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_tests_exist(page: Path) -> None:
    """Checks test files, test functions and modules that are run, in prose and in commands."""
    text = page.read_text()
    for file, function in re.findall(r"\b(tests/[\w/.-]+\.py)(?:::(\w+))?", text):
        assert (ROOT / file).exists(), file
        assert not function or f"def {function}(" in text_of(file), function
    for module in re.findall(r"-m ((?:tests|benchmarks)\.[\w.]+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module


def test_deprecated_names_are_listed() -> None:
    """Each row has the kind and the replacement. A name in several schemas has one row."""
    listed = {
        (name.strip("`"), kind, *(re.findall(r"^`([\w-]+)`", replacement) or [None]))
        for name, place, replacement in rows("docs/deprecations.md", r"`[\w-]+`")
        for kind in Kind
        if place.startswith(kind)
    }
    assert listed == {(deprecated.name, deprecated.kind, deprecated.replacement) for deprecated in DEPRECATED_NAMES}


@pytest.mark.parametrize("name", [name.name for name in deprecated_names(Kind.SETTING, Kind.PROBLEM_TYPE)])
def test_docs_clients_and_examples_use_the_new_names(name: str) -> None:
    """Names of fields are not checked here: other things have the same names."""
    folders = [ROOT / folder for folder in ("clients", "examples", "subusers", "benchmarks")]
    code = [path for folder in folders for suffix in ("py", "ts", "md") for path in folder.rglob(f"*.{suffix}")]
    pages = [path for path in PAGES if path.name not in {"CHANGELOG.md", "deprecations.md"}]
    own_files = [path for path in (*pages, *code) if not {".venv", "node_modules"} & set(path.parts)]
    pattern = re.compile(rf"(?<![\w-]){name}(?!\w)")
    assert [str(path.relative_to(ROOT)) for path in own_files if pattern.search(path.read_text())] == []


def test_no_text_speaks_of_a_later_version() -> None:
    """Changes after the last version are unreleased: they have no number yet."""
    current = int(version("subusers").split(".")[1])
    code = [path for folder in CODE_FOLDERS for path in (ROOT / folder).rglob("*.py")]
    texts = {path.relative_to(ROOT): path.read_text() for path in (*PAGES, *code)}
    pattern = re.compile(r"\b(?:[vV]ersions?|before|since|until)\s+(?:before\s+)?0\.(\d+)")
    assert not [
        (page, match[0]) for page, text in texts.items() for match in pattern.finditer(text) if int(match[1]) > current
    ]
