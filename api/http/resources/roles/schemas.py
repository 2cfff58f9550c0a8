"""Schemas of roles and grants."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.fields.texts import Text
from api.http.fields.times import Expiry, Time
from api.http.resources.permissions.schemas import PermissionName, ResourceType
from api.http.response_bodies import ResponseBody
from api.http.schemas import MAX_NAME_LENGTH, Request
from domain.permission_catalogue import MAX_PERMISSIONS
from domain.roles import BUILT_IN_ROLES, MAX_GRANTS

MAX_DESCRIPTION_LENGTH = 500
MAX_REASON_LENGTH = 500
MAX_RESOURCE_ID_LENGTH = 200

PERMISSIONS = fields.List(PermissionName(), required=True, validate=validate.Length(0, MAX_PERMISSIONS))


class NewRole(Request):
    """A role to create."""

    name = Text(max_length=MAX_NAME_LENGTH, required=True)
    description = Text(max_length=MAX_DESCRIPTION_LENGTH, min_length=0, load_default="")
    permissions = PERMISSIONS


class RolePatch(Request):
    """Changes to a role. All are applied, or none."""

    name = Text(max_length=MAX_NAME_LENGTH)
    description = Text(max_length=MAX_DESCRIPTION_LENGTH, min_length=0)
    permissions = fields.List(PermissionName(), validate=validate.Length(0, MAX_PERMISSIONS))


class RoleAnswer(ResponseBody):
    """A role."""

    role_id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    permissions = fields.List(fields.String(), required=True)
    built_in = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(list(BUILT_IN_ROLES.values())),
        metadata={"description": "Which built-in role it is. Null for a role of the account's own."},
    )
    holders = fields.Integer(required=True, metadata={"description": "Number of sub-users who have it."})


class RoleListAnswer(ResponseBody):
    """The roles of an account: the built-in ones, then its own by name."""

    items = fields.List(fields.Nested(RoleAnswer), required=True)


class ResourceReference(Request):
    """A resource at the portal."""

    type = ResourceType(required=True)
    id = Text(max_length=MAX_RESOURCE_ID_LENGTH, required=True)


class LabelledResource(ResourceReference):
    """A resource at the portal, with a name for people."""

    label = Text(max_length=MAX_NAME_LENGTH, load_default=None)


class GrantDefinition(Request):
    """A role for a sub-user: on everything, or on one resource."""

    role_id = fields.UUID(required=True)
    resource = fields.Nested(LabelledResource, allow_none=True, load_default=None)
    expires_at = Expiry(
        allow_none=True, load_default=None, metadata={"description": "When it ends by itself. Null: never."}
    )


class NewRoleGrant(GrantDefinition):
    """A role for a sub-user, with a reason for the audit log."""

    reason = Text(max_length=MAX_REASON_LENGTH, load_default=None)


class ReplacedGrants(Request):
    """All grants of a sub-user."""

    grants = fields.List(fields.Nested(GrantDefinition), required=True, validate=validate.Length(0, MAX_GRANTS))
    reason = Text(max_length=MAX_REASON_LENGTH, load_default=None)


class LabelledResourceAnswer(ResponseBody):
    """A resource at the portal."""

    type = fields.String(required=True)
    id = fields.String(required=True)
    label = fields.String(required=True, allow_none=True)


class GrantAnswer(ResponseBody):
    """A grant of a sub-user. One that has expired allows nothing."""

    grant_id = fields.UUID(required=True)
    role_id = fields.UUID(required=True)
    resource = fields.Nested(LabelledResourceAnswer, required=True, allow_none=True)
    expires_at = Time(required=True, allow_none=True)
    granted_at = Time(required=True)
    reason = fields.String(required=True, allow_none=True)


class GrantListAnswer(ResponseBody):
    """The grants of a sub-user, oldest first."""

    items = fields.List(fields.Nested(GrantAnswer), required=True)
