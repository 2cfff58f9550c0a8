"""Converts JSON to the dataclasses of results, and values of arguments to JSON."""

from __future__ import annotations

import json
import re
import types
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from uuid import UUID

from subusers_client.errors import UnexpectedResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Model = TypeVar("Model")

HEADER_CHARACTER = re.compile(r"[^\x20-\x7e]")


def decode(model: type[Model], body: bytes) -> Model:
    """Return a dataclass from the JSON of a response. Ignores unknown fields; raises `UnexpectedResponse`."""
    return decode_value(model, decode_json(body))


def decode_json(body: bytes) -> Any:
    """Return the JSON of a response. Raises `UnexpectedResponse`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UnexpectedResponse("the response is not JSON: check the base URL") from None


def decode_value(model: type[Model], value: object) -> Model:
    """Return a dataclass from a JSON object. Ignores unknown fields; raises `UnexpectedResponse`."""
    try:
        return cast("Model", _convert(model, value))
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise UnexpectedResponse(f"the response is not a valid {model.__name__}: {error}") from None


@cache
def _fields_of(model: type[Any]) -> tuple[tuple[str, str, Any, bool], ...]:
    """Return the name, JSON name, type and necessity of each field of a dataclass."""
    hints = get_type_hints(model)
    return tuple(
        (
            field.name,
            field.metadata.get("json", field.name),
            hints[field.name],
            field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(model)
    )


def _convert(hint: Any, value: Any) -> Any:
    if hint is Any:
        return value
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        if value is None:
            return None
        (inner,) = (option for option in get_args(hint) if option is not type(None))
        return _convert(inner, value)
    if origin is tuple:
        item = get_args(hint)[0]
        return tuple(_convert(item, element) for element in _require(value, list))
    if is_dataclass(hint):
        return _convert_object(cast("type[Any]", hint), value)
    return SCALARS[hint](value) if hint in SCALARS else _require(value, origin or hint)


def _convert_object(model: type[Any], value: Any) -> Any:
    _require(value, dict)
    arguments = {}
    for name, json_name, hint, is_required in _fields_of(cast("Hashable", model)):
        if json_name in value:
            arguments[name] = _convert(hint, value[json_name])
        elif is_required:
            raise KeyError(json_name)
    return model(**arguments)


def _require(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{value!r:.80} is not of type {kind.__name__}")
    return value


def _aware(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("a time has no time zone")
    return time


SCALARS: dict[Any, Callable[[Any], Any]] = {
    UUID: lambda value: UUID(_require(value, str)),
    datetime: lambda value: _aware(datetime.fromisoformat(_require(value, str))),
    date: lambda value: date.fromisoformat(_require(value, str)),
}
"""Functions that convert JSON to types that JSON lacks."""


def encode(values: dict[str, Any]) -> bytes:
    """Return JSON for a request body."""
    return json.dumps(values, default=text_of, separators=(",", ":")).encode()


def text_of(value: Any) -> str:
    """Return a value as the service reads it in a path, a query or JSON."""
    match value:
        case datetime():
            return _aware(value).isoformat()
        case date():
            return value.isoformat()
        case str() | int() | UUID():
            return str(value)
    raise TypeError(f"cannot send a value of type {type(value).__name__}")


def id_text(value: UUID | str) -> str:
    """Return an id for a path. Raises ValueError unless it is a UUID."""
    return str(value if isinstance(value, UUID) else UUID(value))


def header_text(value: str, longest: int) -> str:
    """Return text that is valid in a header: other characters become `?`."""
    return HEADER_CHARACTER.sub("?", value[:longest]).strip()
