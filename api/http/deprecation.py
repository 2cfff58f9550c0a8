"""Deprecated names in requests and responses, from the table in `api/deprecated_names.py`.

Requests may have the deprecated name or its replacement; views only see the replacement. Responses have both.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from flask import has_app_context
from flask.globals import app_ctx
from marshmallow import Schema, ValidationError, missing, pre_load
from marshmallow.schema import SchemaMeta

from api.deprecated_names import DEPRECATED_AT, DeprecatedName, Kind, deprecated_names

if TYPE_CHECKING:
    from flask import Flask, Response
    from marshmallow.fields import Field

DEPRECATION_HEADERS = {
    "Deprecation": f"@{int(DEPRECATED_AT.timestamp())}",
    "Link": '</docs>; rel="deprecation"; type="text/html"',
}
"""Headers of responses to requests with a deprecated name (RFC 9745). The documentation page lists these names."""

FIELD_KINDS = (Kind.REQUEST_FIELD, Kind.QUERY_PARAMETER, Kind.RESPONSE_FIELD)


def names_of_schema(schema: str) -> list[DeprecatedName]:
    """Return the deprecated names that a schema declares, without those that it inherits."""
    return [deprecated for deprecated in deprecated_names(*FIELD_KINDS) if deprecated.schema == schema]


class SchemaWithDeprecatedNames(SchemaMeta):
    """Metaclass of schemas that adds the deprecated fields of the table."""

    @classmethod
    def get_declared_fields(
        cls, klass: SchemaMeta, cls_fields: Any, inherited_fields: Any, dict_cls: type[dict[Any, Any]] = dict
    ) -> dict[str, Field[Any]]:
        """Return the declared fields and the deprecated ones."""
        declared = super().get_declared_fields(klass, cls_fields, inherited_fields, dict_cls)
        for deprecated in names_of_schema(klass.__name__):
            declared[deprecated.name] = _deprecated_field(deprecated, declared)
        return declared


class RequestSchema(Schema, metaclass=SchemaWithDeprecatedNames):
    """Request body or query parameters. Deprecated names count as their replacements."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._deprecated_names = [
            deprecated for schema in type(self).__mro__ for deprecated in names_of_schema(schema.__name__)
        ]

    @pre_load
    def replace_deprecated_names(self, data: Any, **_: Any) -> Any:
        """Return the values under the names of their replacements. Refuse two different values of one field."""
        if not self._deprecated_names or not isinstance(data, Mapping):
            return data
        sent = [deprecated for deprecated in self._deprecated_names if deprecated.name in data]
        if not sent:
            return data
        if has_app_context():
            app_ctx.g.has_deprecated_names = True
        values, conflicts = dict(data), {}
        for deprecated in sent:
            if deprecated.replacement is None or (value := self._value_of(deprecated, values)) is missing:
                continue
            del values[deprecated.name]
            other = values.setdefault(deprecated.replacement, value)
            if (type(value), value) != (type(other), other):
                conflicts[deprecated.name] = [f"must equal {deprecated.replacement}, which replaces it"]
        if conflicts:
            raise ValidationError(conflicts)
        return values

    def handle_error(self, error: ValidationError, data: Any, **_: Any) -> None:
        """Report invalid values under the names that the client has sent."""
        if not isinstance(data, Mapping) or not isinstance(error.messages, dict):
            return
        for name, replacement in ((deprecated.name, deprecated.replacement) for deprecated in self._deprecated_names):
            if name in data and replacement not in data and replacement in error.messages:
                error.messages.setdefault(name, error.messages.pop(replacement))

    def _value_of(self, deprecated: DeprecatedName, values: Mapping[str, Any]) -> Any:
        """Return the value of a deprecated field as one of its replacement. `missing` if it is invalid."""
        value = values[deprecated.name]
        if not deprecated.has_own_type:
            return value
        try:
            return self.fields[deprecated.name].deserialize(value)
        except ValidationError:
            return missing  # the field is loaded under its own name, and reports this


def register_deprecation(app: Flask) -> None:
    """Add headers to the responses to requests with deprecated names."""
    app.after_request(_add_headers)


def _deprecated_field(deprecated: DeprecatedName, declared: Mapping[str, Field[Any]]) -> Field[Any]:
    """Return the field of a deprecated name: the declared one, or a copy of its replacement."""
    replacement = declared.get(deprecated.replacement or "")
    field = declared[deprecated.name] if deprecated.has_own_type or replacement is None else deepcopy(replacement)
    field.metadata = {**field.metadata, "deprecated": True, "description": _description(deprecated, field)}
    if deprecated.kind is not Kind.RESPONSE_FIELD:
        field.required, field.load_default = False, field.load_default if deprecated.has_own_type else missing
    elif replacement is not None:
        # marshmallow refuses two fields of the same attribute unless one is never loaded. Generators make two classes
        # of a schema with `readOnly`, which `dump_only` would set.
        field.attribute, field.dump_only = replacement.attribute or deprecated.replacement, True
        field.metadata = {**field.metadata, "readOnly": False}
    return field


def _description(deprecated: DeprecatedName, field: Field[Any]) -> str:
    instruction = f"Use `{deprecated.replacement}` instead." if deprecated.replacement else ""
    own_description = field.metadata.get("description", "") if deprecated.has_own_type else ""
    return " ".join(filter(None, ("Deprecated.", instruction, own_description)))


def _add_headers(response: Response) -> Response:
    if "has_deprecated_names" in app_ctx.g:
        response.headers.extend(DEPRECATION_HEADERS)
    return response
