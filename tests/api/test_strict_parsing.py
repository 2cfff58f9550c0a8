"""Numbers and ids in requests and settings: ASCII digits only, of bounded length, and within the range of a float."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from marshmallow import fields

from api.bootstrap import config
from api.http.fields.numbers import Id, QueryDecimal, QueryInteger, StrictInteger
from api.http.schemas import Query, Request
from api.strict_parsing import parse_decimal, parse_id, parse_integer, parse_json_float
from tests.api.clients import require_problem
from tests.api.route_table import Route, routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marshmallow import Schema

    from tests.api.clients import Account, ApiClient, ApiClients

ID = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"
NOT_INTEGERS = ["", "\u0661", "1\u0660", "\uff11", "\u00b2", "1_0", "+1", " 1", "1 ", "--1", "0x1", "1e3", "9" * 20]
NOT_DECIMALS = [
    *("", "\u0661", "1_0.0", "+1", " 1", ".5", "1.", "1,5", "nan", "inf", "-Infinity", "1e", "1e9999", "1e400"),
    *("1e-400", "1E-400000000", "9" * 20, "0." + "1" * 41),
]
NOT_IDS = [
    *("", "42", ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", f" {ID}", f"{ID}\n"),
    *(ID.replace("3f0c", "\u0663f0c"), ID.replace("3f0c", "3_0c"), ID.replace("4a3e", "4a3\uff45")),
]
STRICT_FIELDS: dict[type[fields.Field[Any]], tuple[type[fields.Field[Any]], ...]] = {
    fields.Integer: (QueryInteger, StrictInteger),
    fields.Float: (QueryDecimal,),
    fields.Decimal: (),
    fields.UUID: (Id,),
}
"""Fields that a request may use instead of marshmallow's own."""


def subclasses(schema_class: type[Schema]) -> Iterator[type[Schema]]:
    for subclass in schema_class.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


SCHEMAS = sorted({*subclasses(Request), *subclasses(Query)}, key=lambda schema_class: schema_class.__name__)
SETTINGS = re.findall(r'_integer\("(\w+)"', Path(config.__file__).read_text(encoding="utf-8"))


REQUIRED_PARAMETERS = {
    "/v1/audit/consistency": {"first": "1"},
    "/v1/sessions/current/resources": {"permission": "assistants"},
}


def invalid_queries(clients: ApiClients) -> Iterator[tuple[Route, str, dict[str, str]]]:
    """Yield queries for every parameter that is a number or an id, with texts that are not."""
    document: Any = clients.anonymous.get("/openapi.json").json
    invalid_texts = {"integer": NOT_INTEGERS, "number": NOT_DECIMALS}
    for route in routes():
        operation = document["paths"].get(route.documented_path, {}).get(route.method.lower(), {})
        for parameter in operation.get("parameters", ()):
            if parameter["in"] != "query":
                continue
            schema = parameter.get("schema", {})
            texts = NOT_IDS if schema.get("format") == "uuid" else invalid_texts.get(schema.get("type"), [])
            required = REQUIRED_PARAMETERS.get(route.rule, {})
            for text in texts:
                yield route, parameter["name"], {**required, parameter["name"]: text}


@pytest.mark.parametrize("text", NOT_INTEGERS)
def test_other_texts_are_not_integers(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_integer(text)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("-1", -1), ("007", 7), (str(2**63 - 1), 2**63 - 1)])
def test_integers(text: str, number: int) -> None:
    assert parse_integer(text) == number


@pytest.mark.parametrize("text", NOT_DECIMALS)
def test_other_texts_are_not_decimals(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_decimal(text)


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("-0.0", 0), ("0e-999", 0), ("1.5", 1.5), ("15e-1", 1.5), ("5e-324", 5e-324)]
)
def test_decimals(text: str, number: float) -> None:
    """The smallest number is the smallest float."""
    assert parse_decimal(text) == number


@pytest.mark.parametrize("text", NOT_IDS)
def test_other_texts_are_not_ids(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_id(text)


def test_ids() -> None:
    assert str(parse_id(ID.upper())) == ID


def test_json_number_that_rounds_to_zero_is_not_zero() -> None:
    assert parse_json_float("0.0e-400000000") == 0
    assert math.isnan(parse_json_float("1E-400000000"))
    assert math.isnan(parse_json_float("-0.01e-323"))


@pytest.mark.parametrize("schema_class", SCHEMAS, ids=lambda schema_class: schema_class.__name__)
def test_requests_use_the_strict_fields(schema_class: type[Schema]) -> None:
    """Marshmallow's own fields parse text with Python's constructors."""
    for name, field in schema_class().fields.items():
        for lenient, strict in STRICT_FIELDS.items():
            assert not isinstance(field, lenient) or isinstance(field, strict), name
        allowed = QueryInteger if issubclass(schema_class, Query) else StrictInteger
        assert not isinstance(field, fields.Integer) or isinstance(field, allowed), name


def test_query_parameters_accept_only_documented_numbers(clients: ApiClients, account: Account) -> None:
    """This holds for every number and id of every route. The problem names the parameter."""
    queries = list(invalid_queries(clients))
    assert {"limit", "after", "wait", "epoch", "tree_size", "first", "second"} <= {name for _, name, _ in queries}
    for route, name, query in queries:
        path = route.path(account_id=account.account_id, position="1")
        response = clients.with_scope(min(route.scopes or ())).get(path, query_string=query)
        require_problem(response, 422, "invalid-input", name)


@pytest.mark.parametrize("text", NOT_INTEGERS)
@pytest.mark.parametrize(
    ("path", "header"), [("/v1/accounts/{account_id}", "Event-Position"), ("/v1/events/stream", "Last-Event-ID")]
)
def test_position_headers_accept_only_digits(
    clients: ApiClients, account: Account, path: str, header: str, text: str
) -> None:
    """WSGI passes the bytes of a header as Latin-1."""
    client = clients.analytics if header == "Last-Event-ID" else clients.portal
    environ = {f"HTTP_{header.upper().replace('-', '_')}": text.encode().decode("latin-1")}
    response = client.get(path.format(account_id=account.account_id), environ_overrides=environ)
    require_problem(response, 422, "invalid-input", header)


@pytest.mark.parametrize("number", ["1E-400000000", "-1e-400", "0.1e-323", "1e400", "-1E400000000"])
@pytest.mark.parametrize("field", ["conversation_minutes", "conversation_ms", "llm_tokens"])
def test_number_out_of_the_range_of_a_float_is_refused(
    account: Account, portal: ApiClient, field: str, number: str
) -> None:
    """A float would round it to zero or infinity."""
    sub_user = account.create_sub_user()
    body = f'{{"sub_user_id": "{sub_user.sub_user_id}", "{field}": {number}}}'
    client = portal.with_deprecated_names()
    response = client.post(f"{account.path}/usage", data=body, content_type="application/json")
    require_problem(response, 422, "invalid-input", field)


def test_details_with_a_number_out_of_range_are_refused(account: Account, portal: ApiClient) -> None:
    sub_user = account.create_sub_user()
    body = f'{{"activities": [{{"sub_user_id": "{sub_user.sub_user_id}", "action": "a", "details": 1E-400000000}}]}}'
    response = portal.post(f"{account.path}/activities", data=body, content_type="application/json")
    require_problem(response, 422, "invalid-input", "activities")


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("value", ["", "\u0661\u0660\u0660", "1_00", "+100", "1e2", "0x64", "100.0", "-100", "9" * 20])
def test_integer_settings_accept_only_digits(monkeypatch: pytest.MonkeyPatch, setting: str, value: str) -> None:
    monkeypatch.setenv(f"SUBUSERS_{setting}", value)
    with pytest.raises(config.ConfigError, match=f"SUBUSERS_{setting} must be a whole number from "):
        config.load(with_master_key=False)


@pytest.mark.parametrize("port", ["\u0665\u0664\u0663\u0662", "5_432", "+5432", "0", "65536"])
def test_database_port_accepts_only_digits(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("SUBUSERS_DATABASE_URL", f"postgresql://user:password@host:{port}/database")
    with pytest.raises(config.ConfigError, match="SUBUSERS_DATABASE_URL must be of the form"):
        config.load(with_master_key=False)
