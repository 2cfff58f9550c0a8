"""Validation of exported events against the published schema of OCSF 1.6.0, from the package `ocsf-json-schema`."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.6.0"
OTHER = 99


def violations(event: dict[str, Any]) -> list[str]:
    """Return a description of each requirement that an event violates.

    The schema does not relate the ids of an event, so these are compared here.
    """
    class_uid, activity_id = event.get("class_uid", -1), event.get("activity_id", -1)
    errors = [f"{error.instance_path}: {error.message}" for error in _validator(class_uid).iter_errors(event)]
    checks = {
        "version": event.get("metadata", {}).get("version") == VERSION,
        "category_uid": event.get("category_uid") == class_uid // 1000,
        "type_uid": event.get("type_uid") == class_uid * 100 + activity_id,
        "activity_name": activity_id != OTHER or bool(event.get("activity_name")),
    }
    return errors + [f"{name} is wrong" for name, is_valid in checks.items() if not is_valid]


@cache
def _validator(class_uid: int) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of a class, without profiles. Raises ValueError for an unknown class."""
    schemas = _schemas()
    return jsonschema_rs.Draft202012Validator(
        schemas.get_class_schema(schemas.lookup_class_name_from_uid(class_uid)), validate_formats=True
    )


@cache
def _schemas() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
