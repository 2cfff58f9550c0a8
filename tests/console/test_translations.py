"""Texts of the console: same keys in all languages, none missing, none unused."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from dataclasses import dataclass, field
from datetime import date
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
from api.presentation import event_descriptions, times
from api.presentation.translations import FOLDER, LANGUAGES, load_texts, translate
from application.errors import ServiceError
from domain.permission_catalogue import INITIAL_CATALOGUE
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

CONSOLE = Path(api.console.__file__).parent
ROOT = CONSOLE.parent.parent
PLURAL_FORMS = ("one", "other")
SAMPLE_INPUTS = [
    "",
    " ",
    "\u3164",
    "x",
    "a\0b",
    "a\nb",
    "\ud800",
    "x" * 20_000,
    "a@",
    "2026-13-45",
    "0001-01-01",
    "9999-12-31",
]

NOT_IN_FORMS = {
    *("sort", "cursor", "last", "until", "after", "Event-Position", "Last-Event-ID", "of a list"),
    *("hand_webhooks_to", "expires", "account", "as_of", "since", "credentials"),
}
"""Fields that no form has, or whose values the page limits itself."""


@dataclass
class KeyUses:
    """Keys that sources refer to: whole keys, and prefixes of keys built at run time."""

    keys: set[str] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)
    literals: set[str] = field(default_factory=set)
    """Every string constant, because a key may reach `t` through a variable."""


@cache
def key_uses() -> KeyUses:
    """Return the keys used by the templates and modules of the console."""
    uses = KeyUses()
    for file in (*sorted(CONSOLE.rglob("*.py")), Path(event_descriptions.__file__)):
        _scan_module(ast.parse(file.read_text(encoding="utf-8")), uses)
    for file in sorted((CONSOLE / "templates").rglob("*.html")):
        _scan_template(Environment(autoescape=True).parse(file.read_text(encoding="utf-8")), uses)
    return uses


def _scan_module(tree: ast.AST, uses: KeyUses) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            uses.literals.add(node.value)
        if isinstance(node, ast.JoinedStr):
            _add_expression(node, uses, has_count=False)
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in {"t", "t_count"} and node.args:
                _add_expression(node.args[-2 if name == "t_count" else -1], uses, has_count=name == "t_count")
            for keyword in node.keywords:
                if keyword.arg == "message":
                    _add_expression(keyword.value, uses, has_count=False)


def _add_expression(node: ast.expr, uses: KeyUses, *, has_count: bool) -> None:
    match node:
        case ast.Constant(value=str(key)):
            (uses.counted if has_count else uses.keys).add(key)
        case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]) if is_key_prefix(prefix):
            uses.prefixes.add(prefix)
        case ast.IfExp(body=body, orelse=orelse):
            _add_expression(body, uses, has_count=has_count)
            _add_expression(orelse, uses, has_count=has_count)


def _scan_template(tree: nodes.Template, uses: KeyUses) -> None:
    uses.literals |= {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}
    for concatenation in tree.find_all(nodes.Concat):
        _add_template_expression(concatenation, uses, has_count=False)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in {"t", "t_count"}:
            _add_template_expression(call.args[0], uses, has_count=call.node.name == "t_count")


def _add_template_expression(node: nodes.Node | None, uses: KeyUses, *, has_count: bool) -> None:
    match node:
        case nodes.Const(value=str(key)):
            (uses.counted if has_count else uses.keys).add(key)
        case nodes.Concat(nodes=[nodes.Const(value=str(prefix)), *_]) if is_key_prefix(prefix):
            uses.prefixes.add(prefix)
        case nodes.CondExpr(expr1=body, expr2=orelse):
            _add_template_expression(body, uses, has_count=has_count)
            _add_template_expression(orelse, uses, has_count=has_count)


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
    texts, english = load_texts(language), load_texts("en")

    assert texts.keys() - english.keys() == set(), f"only in {language}"
    assert english.keys() - texts.keys() == set(), f"missing in {language}"
    assert {key for key in texts if placeholders(texts[key]) != placeholders(english[key])} == set()
    assert {key for key, text in texts.items() if not text.strip() or text != text.strip()} == set()


def test_languages_have_the_same_files() -> None:
    files = {language: {file.name for file in (FOLDER / language).iterdir()} for language in LANGUAGES}
    assert len(set(map(frozenset, files.values()))) == 1, files


def test_placeholders_are_plain_identifiers() -> None:
    """They access no attributes or items of the values."""
    for language in LANGUAGES:
        for key, text in load_texts(language).items():
            assert all(name.isidentifier() for name in placeholders(text)), (language, key)


def test_counted_texts_have_all_plural_forms() -> None:
    for base in key_uses().counted:
        assert {f"{base}.{form}" for form in PLURAL_FORMS} <= load_texts("en").keys()


def test_every_used_key_exists() -> None:
    """Of a key built at run time, only the prefix is checked."""
    known_texts = load_texts("en")
    assert {key for key in key_uses().keys if key not in known_texts} == set()
    assert {key for key in key_uses().counted if f"{key}.other" not in known_texts} == set()
    assert {prefix for prefix in key_uses().prefixes if not any(key.startswith(prefix) for key in known_texts)} == set()


def test_every_key_is_used() -> None:
    used = key_uses().keys | key_uses().counted | key_uses().literals
    prefixes = tuple(key_uses().prefixes)
    assert {
        key for key in load_texts("en") if not {key, base_key(key)} & used and not key.startswith(prefixes)
    } == set()


def test_every_permission_has_a_label() -> None:
    for permission in INITIAL_CATALOGUE.permissions:
        assert permission.labels.keys() == LANGUAGES.keys(), permission.name
        type_key = f"roles.resource_type.{permission.resource_type}"
        assert permission.resource_type is None or type_key in load_texts("en"), permission.name


def schemas_of_forms() -> set[type[Schema]]:
    """Return the schemas in the console's modules."""
    schemas = set()
    for file in CONSOLE.rglob("*.py"):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for value in vars(importlib.import_module(module)).values():
            value_class = value if inspect.isclass(value) else type(value)
            if issubclass(value_class, Schema) and value_class is not Schema:
                schemas.add(value_class)
    return schemas


def refusals_of(schema: Schema) -> Iterator[tuple[fields.Field[Any], str]]:
    """Yield each field that refuses one of the sample inputs, with the reason."""
    fields_by_name = {form_field.data_key or name: form_field for name, form_field in schema.load_fields.items()}
    inputs: list[dict[str, Any]] = [{}, *(dict.fromkeys(fields_by_name, text) for text in SAMPLE_INPUTS)]
    for form_input in inputs:
        errors: dict[str, Any] = schema.validate(form_input)
        yield from ((fields_by_name[name], reason) for name, reasons in errors.items() for reason in reasons)


def is_typed(schema: Schema, form_field: fields.Field[Any]) -> bool:
    """Return whether users type the value: choices are never refused, and among filters only dates can be."""
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
                is_in_list = isinstance(name, ast.JoinedStr)  # such as "usage.3.sub_user_id"
                constant = next((part.value for part in ast.walk(name) if isinstance(part, ast.Constant)), "")
                expression = ast.Expression(reason)
                yield "of a list" if is_in_list else str(constant), eval(compile(expression, "", "eval"), vars(module))  # noqa: S307  # of our own source


def _is_passed_on(reason: ast.expr) -> bool:
    """Return whether the reason is a parameter, as for URLs, which no form has."""
    return isinstance(reason, ast.Name) and reason.id.islower()


def test_every_command_error_is_translated() -> None:
    """Only errors of fields that forms have need a translation."""
    reasons = {reason for name, reason in invalid_values() if name not in NOT_IN_FORMS}
    assert "must have 15 to 128 characters" in reasons
    assert {reason for reason in reasons if f"reasons.{reason}" not in load_texts("en")} == set()


def test_every_translated_error_can_occur() -> None:
    """It occurs in a field, a command or a page."""
    reasons = {reason for schema in schemas_of_forms() for _, reason in refusals_of(schema())}
    reasons |= {reason for _, reason in invalid_values()} | key_uses().literals | {"other"}
    assert {key for key in load_texts("en") if key.startswith("reasons.")} - {
        f"reasons.{reason}" for reason in reasons
    } == set()


def test_every_error_status_has_a_text() -> None:
    """Every problem falls back to the text of its status."""
    assert set(STATUS_BY_REFUSAL.values()) <= TITLES.keys()
    for status in TITLES:
        for part in ("title", "explanation"):
            assert f"errors.http-{status.value}.{part}" in load_texts("en")


def codes(error_class: type[Refusal | ServiceError]) -> set[str]:
    """Return the problem codes of an error class and its subclasses."""
    return {error_class.code}.union(*(codes(subclass) for subclass in error_class.__subclasses__()))


def test_every_translated_problem_code_exists() -> None:
    known_codes = codes(Refusal) | codes(ServiceError)
    for file in (ROOT / "api").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        known_codes |= {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    translated_codes = {
        key.split(".")[1] for key in load_texts("en") if key.startswith("errors.") and key.endswith(".title")
    }
    status_codes = {code for code in translated_codes if code.startswith("http-")}
    assert translated_codes - status_codes - known_codes == set()
    assert status_codes == {f"http-{status.value}" for status in TITLES}


def test_all_text_files_are_loaded() -> None:
    for language in LANGUAGES:
        stems = {key.partition(".")[0] for key in load_texts(language)}
        assert stems == {file.stem for file in (FOLDER / language).iterdir()}


def test_placeholders_in_values_are_not_expanded() -> None:
    with pytest.raises(ValidationError):
        Time().deserialize("{0.__class__}")
    text = load_texts("en")["login.already_owner"].format(email="{company}", company="{0.__class__}")
    assert text == "As the main account {company} of {0.__class__}."


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        (
            "usage.nothing",
            {"first": "8 nov", "last": "11 nov"},
            "Nessun consumo dall'8 nov all'11 nov.",
        ),
        (
            "usage.nothing",
            {"first": "1º nov", "last": "18 nov"},
            "Nessun consumo dal 1º nov al 18 nov.",
        ),
        ("grants.back", {"person": "Anna Greco"}, "Torna ad Anna Greco"),
        ("grants.back", {"person": "Marco"}, "Torna a Marco"),
        (
            "login.already_owner",
            {"email": "a@b", "company": "Rossi S.r.l."},
            "Come account principale a@b di Rossi S.r.l.",
        ),
    ],
)
def test_italian_words_fit_the_values(key: str, values: dict[str, str], expected: str) -> None:
    """Articles are elided before numbers like otto, "a" gets a d before an a, and no sentence has two full stops."""
    assert translate("it", key, **values) == expected


def test_italian_dates_have_an_ordinal_for_the_first_of_a_month() -> None:
    day = date(2026, 11, 1)
    assert times.format_short_date(day, "it") == "1º nov 2026"
    assert times.format_day_and_month(day, "it") == "1º nov"
    assert times.format_full_date(day, "it") == "domenica 1º novembre 2026"
    assert times.format_short_date(date(2026, 11, 21), "it") == "21 nov 2026"
    assert times.format_short_date(day, "en") == "1 Nov 2026"


def test_italian_pages_and_mails_address_the_reader_informally() -> None:
    mails = (ROOT / "adapters" / "mail" / "templates" / "it").iterdir()
    texts = [*load_texts("it").values(), *(file.read_text(encoding="utf-8") for file in mails)]
    formal = re.compile(r"la preghiamo|gentile |scelga|richieda|acceda|apra |le ha concesso", re.IGNORECASE)
    assert [match[0] for text in texts for match in formal.finditer(text)] == []
