"""Deprecated names in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from api.deprecated_names import DeprecatedName, Kind, deprecated_names

API_KINDS = (Kind.REQUEST_FIELD, Kind.QUERY_PARAMETER, Kind.RESPONSE_FIELD, Kind.PROBLEM_TYPE)


def deprecated_names_table() -> str:
    """Return a Markdown table of the deprecated names of the API."""
    rows = (
        f"| `{deprecated.name}` | {_place(deprecated)} | {_code(deprecated.replacement)} |"
        for deprecated in deprecated_names(*API_KINDS)
    )
    return "\n".join(["| Deprecated | Where | Use instead |", "|---|---|---|", *dict.fromkeys(rows)])


def accepts_deprecated_names(operation: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Return whether a query parameter or a field of the request body is deprecated."""
    inputs = list(operation["parameters"])
    for media_type in operation.get("requestBody", {}).get("content", {}).values():
        _, _, schema_name = media_type["schema"]["$ref"].rpartition("/")
        inputs += schemas[schema_name]["properties"].values()
    return any(field.get("deprecated") for field in inputs)


def describe_deprecated_fields(schemas: dict[str, Any]) -> None:
    """Describe that a request has a deprecated field or its replacement, but not both."""
    for deprecated in deprecated_names(Kind.REQUEST_FIELD):
        schema, names = schemas[deprecated.schema], (deprecated.name, deprecated.replacement)
        _exclude(schema, {"required": list(names)})
        if deprecated.replacement in schema.get("required", ()):
            schema["required"].remove(deprecated.replacement)
            require_one_of(schema, *names)


def require_one_of(schema: dict[str, Any], *names: str | None) -> None:
    """Describe that an object has at least one of these fields."""
    _exclude(schema, {"not": {"anyOf": [{"required": [name]} for name in names]}})


def _exclude(schema: dict[str, Any], condition: dict[str, Any]) -> None:
    """Exclude the objects that meet a condition. Generators ignore `not`; `anyOf` would hide the fields from them."""
    schema.setdefault("not", {"anyOf": []})["anyOf"].append(condition)


def _place(deprecated: DeprecatedName) -> str:
    is_in_body = deprecated.kind in {Kind.REQUEST_FIELD, Kind.RESPONSE_FIELD}
    return f"{deprecated.kind} of `{deprecated.schema}`" if is_in_body else deprecated.kind


def _code(name: str | None) -> str:
    return f"`{name}`" if name else "(no replacement)"
