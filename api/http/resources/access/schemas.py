"""Schemas of checks and reports of access."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from api.http.fields.texts import ExactText
from api.http.fields.times import Time
from api.http.resources.permissions.schemas import PermissionName, ResourceType
from api.http.resources.roles.schemas import MAX_RESOURCE_ID_LENGTH
from api.http.response_bodies import ResponseBody
from api.http.schemas import Paging, Query


class SessionResourcesQuery(Paging):
    """The permission for which resources are listed."""

    permission = PermissionName(required=True)


class ResourceAnswer(ResponseBody):
    """A resource at the portal."""

    type = fields.String(required=True)
    id = fields.String(required=True)


class SessionResourcesAnswer(ResponseBody):
    """The resources that a session may act on: all of the permission's type, or those listed."""

    all = fields.Boolean(required=True)
    items = fields.List(fields.Nested(ResourceAnswer), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class AccessQuery(Query):
    """Permission, resource and time of a report of access."""

    permission = PermissionName(required=True)
    resource_type = ResourceType(load_default=None, allow_none=False)
    resource_id = ExactText(max_length=MAX_RESOURCE_ID_LENGTH, load_default=None, allow_none=False)
    as_of = Time(
        load_default=None, allow_none=False, metadata={"description": "A moment in the past. Without it: now."}
    )

    @validates_schema
    def require_whole_resource(self, data: Any, **_: Any) -> None:
        """Refuse a resource without its type or its id."""
        if (data.get("resource_type") is None) != (data.get("resource_id") is None):
            msg = "needs resource_type and resource_id, or neither"
            raise ValidationError(msg, "resource_id" if data.get("resource_id") is None else "resource_type")


class HolderAnswer(ResponseBody):
    """A sub-user who may do it, and why."""

    sub_user_id = fields.UUID(required=True)
    role_id = fields.UUID(required=True)
    grant_id = fields.UUID(required=True)
    resource = fields.Nested(ResourceAnswer, required=True, allow_none=True)
    expires_at = Time(required=True, allow_none=True)
    position = fields.Integer(
        required=True, metadata={"description": "Position of the event that gave the role to the sub-user."}
    )


class AccessAnswer(ResponseBody):
    """The sub-users who may do it, by the time of their creation."""

    items = fields.List(fields.Nested(HolderAnswer), required=True)
