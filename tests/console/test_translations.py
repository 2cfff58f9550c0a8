"""The words of the pages: both languages have the same, and the pages have them all, and there are no others."""

from __future__ import annotations

import ast
import importlib
import inspect
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

import pytest
from jinja2 import Environment, nodes
from marshmallow import Schema, ValidationError, fields

import api.console
from api import action_words
from api.console.language import FOLDER, LANGUAGES, words
from api.http.fields import Time
from api.http.problems import STATUS_OF_REFUSAL, TITLES
from api.http.schemas import Query
from application.errors import ServiceError
from domain.permissions import Permission
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

CONSOLE = Path(api.console.__file__).parent
ROOT = CONSOLE.parent.parent
PARTS_OF_SPEECH = ("one", "other")
TYPED = ["", " ", "x", "a\0b", "a\nb", "\ud800", "x" * 20_000, "a@", "2026-13-45", "0001-01-01", "9999-12-31"]

NOT_IN_FORMS = {"sort", "cursor", "last", "until", "after", "Event-Position", "Last-Event-ID", "of a list"}
"""Fields that no form has, or whose values a page bounds itself."""


@dataclass
class Uses:
    """The texts that sources ask for: whole keys, and the beginnings of keys that are put together."""

    said: set[str] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)
    literals: set[str] = field(default_factory=set)
    """Every string there is: a key may reach `say` by way of a name."""


@cache
def uses() -> Uses:
    """Return what the templates and the modules of the console ask for."""
    found = Uses()
    for file in (*sorted(CONSOLE.rglob("*.py")), Path(action_words.__file__)):
        _scan_module(ast.parse(file.read_text(encoding="utf-8")), found)
    for file in sorted((CONSOLE / "templates").rglob("*.html")):
        _scan_template(Environment(autoescape=True).parse(file.read_text(encoding="utf-8")), found)
    return found


def _scan_module(tree: ast.AST, found: Uses) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.literals.add(node.value)
        if isinstance(node, ast.JoinedStr):
            _note_expression(node, found, counted=False)
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in {"say", "say_count"} and node.args:
                _note_expression(node.args[-2 if name == "say_count" else -1], found, counted=name == "say_count")
            for keyword in node.keywords:
                if keyword.arg == "told":
                    _note_expression(keyword.value, found, counted=False)


def _note_expression(node: ast.expr, found: Uses, *, counted: bool) -> None:
    match node:
        case ast.Constant(value=str(key)):
            (found.counted if counted else found.said).add(key)
        case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]) if is_beginning(prefix):
            found.prefixes.add(prefix)
        case ast.IfExp(body=one, orelse=other):
            _note_expression(one, found, counted=counted)
            _note_expression(other, found, counted=counted)


def _scan_template(tree: nodes.Template, found: Uses) -> None:
    found.literals |= {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}
    for put_together in tree.find_all(nodes.Concat):
        _note_template_expression(put_together, found, counted=False)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in {"say", "say_count"}:
            _note_template_expression(call.args[0], found, counted=call.node.name == "say_count")


def _note_template_expression(node: nodes.Node | None, found: Uses, *, counted: bool) -> None:
    match node:
        case nodes.Const(value=str(key)):
            (found.counted if counted else found.said).add(key)
        case nodes.Concat(nodes=[nodes.Const(value=str(prefix)), *_]) if is_beginning(prefix):
            found.prefixes.add(prefix)
        case nodes.CondExpr(expr1=one, expr2=other):
            _note_template_expression(one, found, counted=counted)
            _note_template_expression(other, found, counted=counted)


def is_beginning(text: str) -> bool:
    """Say whether a text is how keys begin that are put together: with the name of a page, and a dot."""
    page, dot, _ = text.partition(".")
    return bool(dot) and (FOLDER / "en" / f"{page}.toml").exists()


def whole(key: str) -> str:
    """Return the key under which a text is asked for: without the form that a count chooses."""
    base, _, form = key.rpartition(".")
    return base if form in PARTS_OF_SPEECH else key


def placeholders(text: str) -> set[str]:
    """Return the values that a text has in it. Some come with a capital too: languages begin with another word."""
    return {name.lower() for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts(language: str) -> None:
    """On the same pages, with the same values in them; none is empty."""
    own, english = words(language), words("en")

    assert own.keys() - english.keys() == set(), f"only in {language}"
    assert english.keys() - own.keys() == set(), f"missing in {language}"
    assert {key for key in own if placeholders(own[key]) != placeholders(english[key])} == set()
    assert {key for key, text in own.items() if not text.strip() or text != text.strip()} == set()


def test_languages_have_the_same_files() -> None:
    """Each page its own."""
    files = {language: {file.name for file in (FOLDER / language).iterdir()} for language in LANGUAGES}
    assert len(set(map(frozenset, files.values()))) == 1, files


def test_no_text_has_a_placeholder_without_a_name() -> None:
    """Nor one that looks into what it is given."""
    for language in LANGUAGES:
        for key, text in words(language).items():
            assert all(name.isidentifier() for name in placeholders(text)), (language, key)


def test_a_text_that_counts_has_all_its_forms() -> None:
    """Or one of them would be missing for one number alone."""
    for base in uses().counted:
        assert {f"{base}.{form}" for form in PARTS_OF_SPEECH} <= words("en").keys()


def test_every_text_that_is_asked_for_exists() -> None:
    """One that is put together has others that begin alike."""
    known = words("en")
    assert {key for key in uses().said if key not in known} == set()
    assert {key for key in uses().counted if f"{key}.other" not in known} == set()
    assert {prefix for prefix in uses().prefixes if not any(key.startswith(prefix) for key in known)} == set()


def test_no_text_is_left_over() -> None:
    """Each is asked for, or begins like one that is put together."""
    asked = uses().said | uses().counted | uses().literals
    prefixes = tuple(uses().prefixes)
    assert {key for key in words("en") if not {key, whole(key)} & asked and not key.startswith(prefixes)} == set()


def test_every_permission_has_a_name() -> None:
    """On the profile."""
    assert {f"profile.permissions.{permission}" for permission in Permission} <= words("en").keys()


def schemas_of_forms() -> set[type[Schema]]:
    """Return the schemas that modules of the console have."""
    found = set()
    for file in CONSOLE.glob("*.py"):
        for value in vars(importlib.import_module(f"api.console.{file.stem}")).values():
            kind = value if inspect.isclass(value) else type(value)
            if issubclass(kind, Schema) and kind is not Schema:
                found.add(kind)
    return found


def refusals_of(schema: Schema) -> Iterator[tuple[fields.Field[Any], str]]:
    """Yield each field that refuses something that people may type, and why."""
    by_name = {one.data_key or name: one for name, one in schema.load_fields.items()}
    attempts: list[dict[str, Any]] = [{}, *(dict.fromkeys(by_name, text) for text in TYPED)]
    for attempt in attempts:
        refused: dict[str, Any] = schema.validate(attempt)
        yield from ((by_name[name], reason) for name, reasons in refused.items() for reason in reasons)


def is_typed(schema: Schema, one: fields.Field[Any]) -> bool:
    """Say whether a field is filled in at will: what is chosen from a list is never refused in earnest.

    Of what filters ask for only days are: a search is cut off where it is too long.
    """
    kinds = fields.Date if isinstance(schema, Query) else fields.String | Time
    return isinstance(one, kinds) and not hasattr(one.validate, "choices")


def test_every_reason_of_a_form_s_field_has_words() -> None:
    """The fields are those of the HTTP interface, whose reasons are in English."""
    schemas = schemas_of_forms()
    assert {"Login", "OwnPassword"} <= {schema.__name__ for schema in schemas}
    made = [schema() for schema in schemas]
    reasons = {reason for schema in made for one, reason in refusals_of(schema) if is_typed(schema, one)}
    assert len(reasons) > 3
    assert {reason for reason in reasons if f"reasons.{reason}" not in words("en")} == set()


def invalid_values() -> Iterator[tuple[str, str]]:
    """Yield each field that a command or a query refuses, "" where it is chosen by the caller, and why."""
    for package in ("application", "adapters", "projections"):
        for file in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
                if getattr(call.func, "id", "") != "InvalidValue" or _is_passed_on(call.args[1]):
                    continue
                module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
                name, reason = call.args
                of_list = isinstance(name, ast.JoinedStr)  # such as "usage.3.sub_user_id"
                beginning = next((part.value for part in ast.walk(name) if isinstance(part, ast.Constant)), "")
                expression = ast.Expression(reason)
                yield "of a list" if of_list else str(beginning), eval(compile(expression, "", "eval"), vars(module))  # noqa: S307  # of our own source


def _is_passed_on(reason: ast.expr) -> bool:
    """Say whether a reason is whatever a function was given, as of URLs, for which no form has a field."""
    return isinstance(reason, ast.Name) and reason.id.islower()


def test_every_reason_of_a_command_has_words() -> None:
    """As far as a form can give it cause."""
    reasons = {reason for name, reason in invalid_values() if name not in NOT_IN_FORMS}
    assert "must have 15 to 128 characters" in reasons
    assert {reason for reason in reasons if f"reasons.{reason}" not in words("en")} == set()


def test_no_reason_has_words_that_cannot_be_given() -> None:
    """By a field, a command, or a page of its own accord."""
    given = {reason for schema in schemas_of_forms() for _, reason in refusals_of(schema())}
    given |= {reason for _, reason in invalid_values()} | uses().literals | {"other"}
    assert {key for key in words("en") if key.startswith("reasons.")} - {f"reasons.{one}" for one in given} == set()


def test_every_status_has_a_page() -> None:
    """So that each problem has at least the words of its status."""
    assert set(STATUS_OF_REFUSAL.values()) <= TITLES.keys()
    for status in TITLES:
        for part in ("title", "explanation"):
            assert f"errors.http-{status.value}.{part}" in words("en")


def codes(kind: type[Refusal | ServiceError]) -> set[str]:
    return {kind.code}.union(*(codes(each) for each in kind.__subclasses__()))


def test_every_problem_with_words_of_its_own_can_happen() -> None:
    """Its code is one of ours."""
    known = codes(Refusal) | codes(ServiceError)
    for file in (ROOT / "api").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        known |= {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    own = {key.split(".")[1] for key in words("en") if key.startswith("errors.") and key.endswith(".title")}
    assert {code for code in own if not code.startswith("http-")} - known == set()
    assert {f"http-{status.value}" for status in TITLES} == {code for code in own if code.startswith("http-")}


def test_words_are_read_once_and_whole() -> None:
    """A file that is no TOML would be found here."""
    for language in LANGUAGES:
        stems = {key.partition(".")[0] for key in words(language)}
        assert stems == {file.stem for file in (FOLDER / language).iterdir()}


def test_a_value_cannot_ask_for_more_than_it_is() -> None:
    """Braces in a name are braces."""
    with pytest.raises(ValidationError):
        Time().deserialize("{0.__class__}")
    text = words("en")["login.already_owner"].format(email="{company}", company="{0.__class__}")
    assert text == "As the main account {company} of {0.__class__}."
