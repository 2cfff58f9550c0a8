"""Texts of the console: same keys in all languages, none missing, none unused."""

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
from api.http.fields.times import Time
from api.http.problems import STATUS_BY_REFUSAL, TITLES
from api.http.schemas import Query
from api.presentation import event_descriptions
from api.presentation.translations import FOLDER, LANGUAGES, load_texts
from application.errors import ServiceError
from domain.permission_catalog import Permission
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

CONSOLE = Path(api.console.__file__).parent
ROOT = CONSOLE.parent.parent
PLURAL_FORMS = ("one", "other")
TYPED = ["", " ", "\u3164", "x", "a\0b", "a\nb", "\ud800", "x" * 20_000, "a@", "2026-13-45", "0001-01-01", "9999-12-31"]

NOT_IN_FORMS = {
    *("sort", "cursor", "last", "until", "after", "Event-Position", "Last-Event-ID", "of a list"),
    *("hand_webhooks_to", "expires", "account"),
}
"""Fields that no form has, or whose values the page limits itself."""


@dataclass
class Uses:
    """Keys that sources refer to: whole keys, and prefixes of keys built at run time."""

    keys: set[str] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)
    literals: set[str] = field(default_factory=set)
    """Every string constant, because a key may reach `t` through a variable."""


@cache
def uses() -> Uses:
    """Return the keys used by the templates and modules of the console."""
    uses = Uses()
    for file in (*sorted(CONSOLE.rglob("*.py")), Path(event_descriptions.__file__)):
        _scan_module(ast.parse(file.read_text(encoding="utf-8")), uses)
    for file in sorted((CONSOLE / "templates").rglob("*.html")):
        _scan_template(Environment(autoescape=True).parse(file.read_text(encoding="utf-8")), uses)
    return uses


def _scan_module(tree: ast.AST, uses: Uses) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            uses.literals.add(node.value)
        if isinstance(node, ast.JoinedStr):
            _note_expression(node, uses, counted=False)
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in {"say", "t", "t_count"} and node.args:
                _note_expression(node.args[-2 if name == "t_count" else -1], uses, counted=name == "t_count")
            for keyword in node.keywords:
                if keyword.arg == "message":
                    _note_expression(keyword.value, uses, counted=False)


def _note_expression(node: ast.expr, uses: Uses, *, counted: bool) -> None:
    match node:
        case ast.Constant(value=str(key)):
            (uses.counted if counted else uses.keys).add(key)
        case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]) if is_key_prefix(prefix):
            uses.prefixes.add(prefix)
        case ast.IfExp(body=body, orelse=orelse):
            _note_expression(body, uses, counted=counted)
            _note_expression(orelse, uses, counted=counted)


def _scan_template(tree: nodes.Template, uses: Uses) -> None:
    uses.literals |= {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}
    for concatenation in tree.find_all(nodes.Concat):
        _note_template_expression(concatenation, uses, counted=False)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in {"t", "t_count"}:
            _note_template_expression(call.args[0], uses, counted=call.node.name == "t_count")


def _note_template_expression(node: nodes.Node | None, uses: Uses, *, counted: bool) -> None:
    match node:
        case nodes.Const(value=str(key)):
            (uses.counted if counted else uses.keys).add(key)
        case nodes.Concat(nodes=[nodes.Const(value=str(prefix)), *_]) if is_key_prefix(prefix):
            uses.prefixes.add(prefix)
        case nodes.CondExpr(expr1=body, expr2=orelse):
            _note_template_expression(body, uses, counted=counted)
            _note_template_expression(orelse, uses, counted=counted)


def is_key_prefix(text: str) -> bool:
    """Return whether the text starts with the name of a page and a dot, like a key."""
    page, dot, _ = text.partition(".")
    return bool(dot) and (FOLDER / "en" / f"{page}.toml").exists()


def base_key(key: str) -> str:
    """Return the key without the plural form that a count chooses."""
    base, _, form = key.rpartition(".")
    return base if form in PLURAL_FORMS else key


def placeholders(text: str) -> set[str]:
    """Return the names of the placeholders. Capitalized variants count as the same placeholder."""
    return {name.lower() for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_have_the_same_keys_and_placeholders(language: str) -> None:
    own, english = load_texts(language), load_texts("en")

    assert own.keys() - english.keys() == set(), f"only in {language}"
    assert english.keys() - own.keys() == set(), f"missing in {language}"
    assert {key for key in own if placeholders(own[key]) != placeholders(english[key])} == set()
    assert {key for key, text in own.items() if not text.strip() or text != text.strip()} == set()


def test_languages_have_the_same_files() -> None:
    files = {language: {file.name for file in (FOLDER / language).iterdir()} for language in LANGUAGES}
    assert len(set(map(frozenset, files.values()))) == 1, files


def test_placeholders_are_plain_identifiers() -> None:
    """Without attribute or item access."""
    for language in LANGUAGES:
        for key, text in load_texts(language).items():
            assert all(name.isidentifier() for name in placeholders(text)), (language, key)


def test_counted_texts_have_all_plural_forms() -> None:
    for base in uses().counted:
        assert {f"{base}.{form}" for form in PLURAL_FORMS} <= load_texts("en").keys()


def test_every_used_key_exists() -> None:
    """For a key built at run time, some key has its prefix."""
    known_texts = load_texts("en")
    assert {key for key in uses().keys if key not in known_texts} == set()
    assert {key for key in uses().counted if f"{key}.other" not in known_texts} == set()
    assert {prefix for prefix in uses().prefixes if not any(key.startswith(prefix) for key in known_texts)} == set()


def test_every_key_is_used() -> None:
    used = uses().keys | uses().counted | uses().literals
    prefixes = tuple(uses().prefixes)
    assert {
        key for key in load_texts("en") if not {key, base_key(key)} & used and not key.startswith(prefixes)
    } == set()


def test_every_permission_has_a_text() -> None:
    assert {f"profile.permissions.{permission}" for permission in Permission} <= load_texts("en").keys()


def schemas_of_forms() -> set[type[Schema]]:
    """Return the schemas in the console's modules."""
    schemas = set()
    for file in CONSOLE.rglob("*.py"):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for value in vars(importlib.import_module(module)).values():
            kind = value if inspect.isclass(value) else type(value)
            if issubclass(kind, Schema) and kind is not Schema:
                schemas.add(kind)
    return schemas


def refusals_of(schema: Schema) -> Iterator[tuple[fields.Field[Any], str]]:
    """Yield each field that refuses one of the sample inputs, with the reason."""
    fields_by_name = {form_field.data_key or name: form_field for name, form_field in schema.load_fields.items()}
    attempts: list[dict[str, Any]] = [{}, *(dict.fromkeys(fields_by_name, text) for text in TYPED)]
    for attempt in attempts:
        errors: dict[str, Any] = schema.validate(attempt)
        yield from ((fields_by_name[name], reason) for name, reasons in errors.items() for reason in reasons)


def is_typed(schema: Schema, form_field: fields.Field[Any]) -> bool:
    """Return whether users type the value: choices are never refused, and of filters only dates are."""
    kinds = fields.Date if isinstance(schema, Query) else fields.String | Time
    return isinstance(form_field, kinds) and not hasattr(form_field.validate, "choices")


def test_every_form_error_is_translated() -> None:
    """Form fields are those of the HTTP API, whose error messages are English."""
    schemas = schemas_of_forms()
    assert {"Login", "OwnPassword"} <= {schema.__name__ for schema in schemas}
    instances = [schema() for schema in schemas]
    reasons = {
        reason for schema in instances for form_field, reason in refusals_of(schema) if is_typed(schema, form_field)
    }
    assert len(reasons) > 3
    assert {reason for reason in reasons if f"reasons.{reason}" not in load_texts("en")} == set()


def invalid_values() -> Iterator[tuple[str, str]]:
    """Yield the field ("" if the caller passes it) and the reason of each InvalidValue in the source."""
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
    """Return whether the reason is a parameter, as for URLs, which no form has."""
    return isinstance(reason, ast.Name) and reason.id.islower()


def test_every_command_error_is_translated() -> None:
    """For fields that forms have."""
    reasons = {reason for name, reason in invalid_values() if name not in NOT_IN_FORMS}
    assert "must have 15 to 128 characters" in reasons
    assert {reason for reason in reasons if f"reasons.{reason}" not in load_texts("en")} == set()


def test_every_translated_error_can_occur() -> None:
    """In a field, a command or a page."""
    reasons = {reason for schema in schemas_of_forms() for _, reason in refusals_of(schema())}
    reasons |= {reason for _, reason in invalid_values()} | uses().literals | {"other"}
    assert {key for key in load_texts("en") if key.startswith("reasons.")} - {
        f"reasons.{reason}" for reason in reasons
    } == set()


def test_every_error_status_has_a_text() -> None:
    """Every problem falls back to the text of its status."""
    assert set(STATUS_BY_REFUSAL.values()) <= TITLES.keys()
    for status in TITLES:
        for part in ("title", "explanation"):
            assert f"errors.http-{status.value}.{part}" in load_texts("en")


def codes(kind: type[Refusal | ServiceError]) -> set[str]:
    return {kind.code}.union(*(codes(subclass) for subclass in kind.__subclasses__()))


def test_every_translated_problem_code_exists() -> None:
    known_codes = codes(Refusal) | codes(ServiceError)
    for file in (ROOT / "api").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        known_codes |= {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    own = {key.split(".")[1] for key in load_texts("en") if key.startswith("errors.") and key.endswith(".title")}
    assert {code for code in own if not code.startswith("http-")} - known_codes == set()
    assert {f"http-{status.value}" for status in TITLES} == {code for code in own if code.startswith("http-")}


def test_all_text_files_are_loaded() -> None:
    for language in LANGUAGES:
        stems = {key.partition(".")[0] for key in load_texts(language)}
        assert stems == {file.stem for file in (FOLDER / language).iterdir()}


def test_placeholders_in_values_are_not_expanded() -> None:
    with pytest.raises(ValidationError):
        Time().deserialize("{0.__class__}")
    text = load_texts("en")["login.already_owner"].format(email="{company}", company="{0.__class__}")
    assert text == "As the main account {company} of {0.__class__}."
