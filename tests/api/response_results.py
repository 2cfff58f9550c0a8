"""Hypothesis strategies for the results that response bodies show."""

from __future__ import annotations

from datetime import UTC
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st
from marshmallow import Schema, fields

import api.flask_application  # noqa: F401  # defines every response body
from api.http.fields.json_values import EventDetails, EventValue
from api.http.fields.numbers import Minutes
from api.http.fields.times import Day, Time
from api.http.response_bodies import ResponseBody

if TYPE_CHECKING:
    from collections.abc import Iterator

SchemaType = TypeVar("SchemaType", bound=Schema)

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda values: st.lists(values, max_size=2) | st.dictionaries(st.text(max_size=3), values, max_size=2),
    max_leaves=4,
)
TIMES = st.datetimes(timezones=st.just(UTC))
NUMBERS = st.integers(-(2**63), 2**63 - 1)
"""Numbers in responses are positions, counts and amounts, columns of type bigint at most."""

EVENT_VALUES = TIMES | st.dates() | st.uuids() | st.text(max_size=3) | st.booleans() | NUMBERS
VALUES: list[tuple[type[fields.Field[Any]], st.SearchStrategy[Any]]] = [
    (EventDetails, st.dictionaries(st.text(max_size=3), JSON_VALUES | EVENT_VALUES, max_size=3)),
    (EventValue, EVENT_VALUES),
    (Minutes, st.integers(0, 10**12)),
    (Time, TIMES),
    (Day, st.dates()),
    (fields.Date, st.dates()),
    (fields.UUID, st.uuids()),
    (fields.Boolean, st.booleans()),
    (fields.Integer, NUMBERS),
    (fields.Float, st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 60_000)),
    (fields.String, st.text(max_size=5)),
]


def subclasses(schema: type[SchemaType]) -> Iterator[type[SchemaType]]:
    """Yield all subclasses, those of subclasses included; some more than once."""
    for subclass in schema.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def response_bodies() -> list[type[ResponseBody]]:
    return sorted(set(subclasses(ResponseBody)), key=lambda body: body.__name__)


def values_of(field: fields.Field[Any]) -> st.SearchStrategy[Any]:
    """Return results that a field can show."""
    values: st.SearchStrategy[Any]
    match field:
        case fields.Nested():
            values = results_of(field.schema)
        case fields.List():
            values = st.lists(values_of(field.inner), max_size=2)
        case fields.Dict(value_field=None):
            values = st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.none(), max_size=2)
        case fields.Dict():
            assert field.value_field is not None
            values = st.dictionaries(st.text(max_size=3), values_of(field.value_field), max_size=2)
        case fields.Enum(enum=enum):
            members: Any = enum
            values = st.sampled_from(list(members))
        case _:
            values = next(values for kind, values in VALUES if isinstance(field, kind))
    return st.none() | values if field.allow_none else values


def results_of(schema: Any) -> st.SearchStrategy[Any]:
    """Return results that a response body can show: mappings or objects, which may be nested."""
    by_attribute = {
        field.attribute or name: field
        for name, field in schema.dump_fields.items()
        if not isinstance(field, fields.Constant)
    }
    shown = {attribute: values_of(field) for attribute, field in by_attribute.items()}
    optional = {name: values for name, values in shown.items() if not by_attribute[name].required}
    required = {name: values for name, values in shown.items() if name not in optional}
    objects = st.fixed_dictionaries(shown).map(_object)
    return (
        objects if any("." in name for name in shown) else objects | st.fixed_dictionaries(required, optional=optional)
    )


def _object(attributes: dict[str, Any]) -> SimpleNamespace:
    """Return an object with attributes, whose names may be paths."""
    result = SimpleNamespace()
    for path, value in attributes.items():
        *parents, name = path.split(".")
        owner = result
        for parent in parents:
            if not hasattr(owner, parent):
                setattr(owner, parent, SimpleNamespace())
            owner = getattr(owner, parent)
        setattr(owner, name, value)
    return result
