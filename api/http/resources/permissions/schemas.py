"""Schemas of the permission catalogue."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from api.http.fields.numbers import StrictBoolean
from api.http.fields.texts import MachineName, Text
from api.http.response_bodies import ResponseBody
from api.http.schemas import MAX_NAME_LENGTH, Request
from domain.permission_catalogue import ACCOUNT, MAX_PERMISSIONS

PERMISSION_NAME = "^[a-z][a-z0-9_.:-]{0,63}$"
RESOURCE_TYPE = "^[a-z][a-z0-9_-]{0,63}$"


class PermissionName(MachineName):
    """Name of a permission, such as assistants.edit."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(PERMISSION_NAME, **kwargs)


class ResourceType(MachineName):
    """Type of resources, such as assistant. `account` is not one: it stands for the account as a whole."""

    def __init__(self, **kwargs: Any) -> None:
        not_account = validate.NoneOf([ACCOUNT], error="must not be account, which stands for the account as a whole")
        super().__init__(RESOURCE_TYPE, validate=not_account, **kwargs)


def is_permission_name(value: Any) -> bool:
    """Return whether `PermissionName` accepts a value."""
    return isinstance(value, str) and re.fullmatch(PERMISSION_NAME, value) is not None


def is_resource_type(value: Any) -> bool:
    """Return whether `ResourceType` accepts a value."""
    return isinstance(value, str) and value != ACCOUNT and re.fullmatch(RESOURCE_TYPE, value) is not None


class PermissionLabels(Request):
    """Names of a permission for people, by language."""

    en = Text(max_length=MAX_NAME_LENGTH)
    it = Text(max_length=MAX_NAME_LENGTH)


class PermissionDefinition(Request):
    """A permission of the catalogue."""

    name = PermissionName(required=True)
    resource_type = ResourceType(
        allow_none=True,
        load_default=None,
        metadata={"description": "Type of the resources that it applies to. Null: the account as a whole."},
    )
    reserved = StrictBoolean(
        load_default=False, metadata={"description": "Whether only the account's owner has it: no role contains it."}
    )
    reading = StrictBoolean(
        load_default=False, metadata={"description": "Whether it changes nothing: the role Viewer contains it."}
    )
    needs_second_factor = StrictBoolean(
        load_default=False,
        metadata={"description": "Whether only sessions that have verified a second factor have it."},
    )
    labels = fields.Nested(PermissionLabels, load_default=dict)


class NewCatalogue(Request):
    """The permission catalogue, in display order."""

    permissions = fields.List(
        fields.Nested(PermissionDefinition), required=True, validate=validate.Length(1, MAX_PERMISSIONS)
    )
    remove_from_roles = StrictBoolean(
        load_default=False,
        metadata={"description": "Whether roles lose permissions that are no longer grantable."},
    )

    @validates_schema
    def require_unique_names(self, data: Any, **_: Any) -> None:
        """Refuse two permissions of one name."""
        names = [permission["name"] for permission in data.get("permissions", ())]
        if len(set(names)) < len(names):
            msg = "must not have two permissions of one name"
            raise ValidationError(msg, "permissions")


class PermissionLabelsAnswer(ResponseBody):
    """Names of a permission for people, by language."""

    en = fields.String()
    it = fields.String()


class PermissionAnswer(ResponseBody):
    """A permission of the catalogue."""

    name = fields.String(required=True)
    resource_type = fields.String(required=True, allow_none=True)
    reserved = fields.Boolean(required=True)
    reading = fields.Boolean(required=True)
    needs_second_factor = fields.Boolean(required=True)
    labels = fields.Nested(PermissionLabelsAnswer, required=True)


class CatalogueAnswer(ResponseBody):
    """The permission catalogue, in display order."""

    revision = fields.Integer(required=True)
    permissions = fields.List(fields.Nested(PermissionAnswer), required=True)
