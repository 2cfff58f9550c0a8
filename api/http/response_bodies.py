"""Response bodies: one list of fields documents them in OpenAPI and encodes them as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from operator import attrgetter
from typing import Any, cast

import orjson
from marshmallow import EXCLUDE, Schema, fields

from api.http.deprecation import SchemaWithDeprecatedNames
from api.http.fields.json_values import ConvertedField

Convert = Callable[[Any], Any]


class ResponseBody(Schema, metaclass=SchemaWithDeprecatedNames):
    """A response body.

    Its fields are read from a result: an object with all of their attributes, or a mapping, which may lack the fields
    that are not required. orjson encodes ids, times, dates and enumerations directly. marshmallow's `dump` returns
    equal values (a test compares them), but takes ten times as long: too slow for the list of sub-users
    (docs/performance.md).
    """

    class Meta:
        unknown = EXCLUDE
        """Keeps `additionalProperties: false` out of OpenAPI, because later releases can add fields."""

    def to_json(self, result: Any) -> bytes:
        """Return a result as JSON, with times in UTC."""
        return orjson.dumps(self.to_values(result), option=orjson.OPT_UTC_Z)

    def to_values(self, result: Any) -> dict[str, Any]:
        """Return the fields of a result by name, as values that orjson encodes."""
        values = self._read_mapping(result) if isinstance(result, Mapping) else self._read_object(result)
        values |= self._constants
        for name, convert in self._conversions:
            if (value := values.get(name)) is not None:
                values[name] = convert(value)
        return values

    @cached_property
    def _constants(self) -> dict[str, Any]:
        return {name: field.constant for name, field in self.dump_fields.items() if isinstance(field, fields.Constant)}

    @cached_property
    def _attribute_by_name(self) -> dict[str, str]:
        fields_of_results = ((name, field) for name, field in self.dump_fields.items() if name not in self._constants)
        return {name: field.attribute or name for name, field in fields_of_results}

    @cached_property
    def _get_attributes(self) -> Callable[[Any], tuple[Any, ...]]:
        """Function that returns the attributes of a result, in the order of `_attribute_by_name`."""
        getter: Callable[[Any], Any] = attrgetter(*self._attribute_by_name.values())
        if len(self._attribute_by_name) > 1:
            return getter
        return lambda result: (getter(result),)  # with one name, attrgetter returns no tuple

    @cached_property
    def _conversions(self) -> list[tuple[str, Convert]]:
        conversions = ((name, _conversion(field)) for name, field in self.dump_fields.items())
        return [(name, convert) for name, convert in conversions if convert is not None]

    def _read_object(self, result: Any) -> dict[str, Any]:
        return dict(zip(self._attribute_by_name, self._get_attributes(result), strict=True))

    def _read_mapping(self, result: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: result[attribute]
            for name, attribute in self._attribute_by_name.items()
            if attribute in result or self.dump_fields[name].required
        }


def _conversion(field: fields.Field[Any]) -> Convert | None:
    """Return the function that prepares a field's values for orjson, or None if orjson encodes them."""
    match field:
        case ConvertedField():
            return field.to_json_value
        case fields.Nested():
            return cast("ResponseBody", field.schema).to_values
        case fields.List():
            convert_item = _conversion(field.inner)
            return None if convert_item is None else lambda items: [convert_item(item) for item in items]
        case fields.Dict(value_field=value_field) if value_field is not None:
            convert_value = _conversion(value_field)
            if convert_value is None:
                return None
            return lambda mapping: {key: convert_value(value) for key, value in mapping.items()}
        case _:
            return None
