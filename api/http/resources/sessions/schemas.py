"""Schemas of sign-in and introspection."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, validate, validates_schema

from api.http.fields.numbers import StrictBoolean
from api.http.fields.texts import ExactText, NewPassword, Password, SignInEmail, Text
from api.http.fields.times import Time
from api.http.resources.permissions.schemas import PermissionName, is_permission_name, is_resource_type
from api.http.resources.roles.schemas import MAX_RESOURCE_ID_LENGTH, ResourceReference
from api.http.resources.sub_users.schemas import SessionFields
from api.http.response_bodies import ResponseBody
from api.http.schemas import Request
from domain.access_decision import Missing
from domain.assurance_level import AssuranceLevel
from domain.second_factor import SecondFactorKind

MAX_TOKEN_LENGTH = 1000
MAX_CHECKS = 100
MAX_CHECK_ID_LENGTH = 100
MAX_DEVICE_ID_LENGTH = 200
CHECK_FIELDS, RESOURCE_FIELDS = {"id", "permission", "resource"}, {"type", "id"}
ORDINARY_TEXT = re.compile(r"[\x21-\x7e]+")


def _assurance_level(**options: Any) -> fields.Enum[AssuranceLevel]:
    description = "How the sub-user authenticated for the session."
    return fields.Enum(AssuranceLevel, by_value=True, metadata={"description": description}, **options)


class Login(Request):
    """Credentials of a sub-user. Only lengths are checked: any value may be tried."""

    account_email = SignInEmail(required=True, validate=validate.Length(1, 1000))
    email = SignInEmail(required=True, validate=validate.Length(1, 1000))
    password = Password(required=True)
    device_id = ExactText(
        max_length=MAX_DEVICE_ID_LENGTH,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "Your opaque id of the device, of which only a keyed hash is stored. "
            "The sub-user is mailed when they log in from a device that is not known."
        },
    )


class OpenedSessionAnswer(ResponseBody):
    """A new session and its token."""

    token = fields.String(required=True)
    expires_at = Time(required=True)
    account_id = fields.UUID(required=True)
    sub_user_id = fields.UUID(required=True, attribute="person_id")
    must_change_password = fields.Boolean(required=True)
    permissions = fields.List(fields.String(), required=True)
    assurance_level = _assurance_level(required=True)
    step_up_required = fields.Boolean(
        required=True,
        metadata={"description": "Whether the session can only verify a second factor, or add the first one."},
    )
    second_factors = fields.List(
        fields.Enum(SecondFactorKind, by_value=True),
        required=True,
        metadata={"description": "The kinds of second factor that the sub-user has, of which they choose one."},
    )


class AccessCheck(Request):
    """A permission to check, on a resource or on everything. `id` is returned with the answer."""

    id = Text(max_length=MAX_CHECK_ID_LENGTH)
    permission = PermissionName(required=True)
    resource = fields.Nested(ResourceReference, allow_none=True, load_default=None)


class AccessChecks(fields.List[Any]):
    """Checks of access. Ordinary ones are read without marshmallow, which takes half of the time of a full request."""

    def __init__(self) -> None:
        super().__init__(fields.Nested(AccessCheck), load_default=list, validate=validate.Length(0, MAX_CHECKS))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list):
            checks = [ordinary_check(check) for check in value]
            if None not in checks:
                return checks
        return super()._deserialize(value, attr, data, **kwargs)


def ordinary_check(check: Any) -> dict[str, Any] | None:
    """Return a check as `AccessCheck` loads it, None unless all that it has is ordinary text."""
    if (
        not isinstance(check, dict)
        or not check.keys() <= CHECK_FIELDS
        or not is_permission_name(check.get("permission"))
    ):
        return None
    if "id" in check and not _is_ordinary_text(check["id"], MAX_CHECK_ID_LENGTH):
        return None
    resource = check.get("resource")
    if resource is not None:
        is_reference = isinstance(resource, dict) and resource.keys() == RESOURCE_FIELDS
        if not is_reference or not is_resource_type(resource["type"]):
            return None
        if not _is_ordinary_text(resource["id"], MAX_RESOURCE_ID_LENGTH):
            return None
    return {**check, "resource": resource}


def _is_ordinary_text(text: Any, max_length: int) -> bool:
    """Return whether `Text` would return the text unchanged: one of visible ASCII characters, without spaces."""
    return isinstance(text, str) and len(text) <= max_length and ORDINARY_TEXT.fullmatch(text) is not None


class Introspection(Request):
    """A session token to check, and optionally permissions."""

    token = fields.String(
        required=True, metadata={"description": "Any text: one that is no token of a session is inactive."}
    )
    permission = fields.String(
        load_default=None, metadata={"description": "A permission of the catalogue, to be answered by `allowed`."}
    )
    resource = fields.Nested(
        ResourceReference, load_default=None, metadata={"description": "The resource for which it is needed."}
    )
    checks = AccessChecks()
    profile = StrictBoolean(
        load_default=False,
        metadata={"description": "Whether to return the sub-user's name and e-mail, which takes longer."},
    )

    @validates_schema
    def require_permission_of_resource(self, data: Any, **_: Any) -> None:
        """Refuse a resource without a permission, which nothing would check."""
        if data.get("resource") is not None and data.get("permission") is None:
            msg = "is required with resource"
            raise ValidationError(msg, "permission")


class ReasonAnswer(ResponseBody):
    """Why a check is allowed (the grant and its role), or what is missing."""

    role_id = fields.UUID()
    grant_id = fields.UUID()
    missing = fields.String(validate=validate.OneOf([*Missing, "session"]))


class ResourceReferenceAnswer(ResponseBody):
    """A resource at the portal."""

    type = fields.String(required=True)
    id = fields.String(required=True)


class AccessCheckAnswer(ResponseBody):
    """The answer to a check."""

    id = fields.String()
    permission = fields.String(required=True)
    resource = fields.Nested(ResourceReferenceAnswer, required=True, allow_none=True)
    allowed = fields.Boolean(required=True)
    because = fields.Nested(ReasonAnswer, required=True)


class IntrospectionAnswer(ResponseBody):
    """State of a session. An inactive session has no fields except `active`, and `allowed` if a permission was sent.

    `email`, `name` and `surname` are there if `profile` was sent.
    """

    active = fields.Boolean(required=True)
    account_id = fields.UUID()
    sub_user_id = fields.UUID()
    permissions = fields.List(fields.String())
    must_change_password = fields.Boolean()
    assurance_level = _assurance_level()
    step_up_required = fields.Boolean()
    expires_at = Time()
    allowed = fields.Boolean()
    checks = fields.List(fields.Nested(AccessCheckAnswer))
    email = fields.String()
    name = fields.String()
    surname = fields.String()


class OAuthIntrospection(Request):
    """A token introspection request by RFC 7662. Other parameters, such as `token_type_hint`, are ignored."""

    class Meta:
        unknown = EXCLUDE

    token = fields.String(
        required=True,
        validate=validate.Length(min=1),  # a parameter without a value counts as omitted (RFC 6749, 3.2)
        metadata={"description": "Any text: one that is no token of a session is inactive."},
    )


class OAuthIntrospectionAnswer(ResponseBody):
    """State of a session by RFC 7662, with fields of our own. An inactive session has no field except `active`."""

    active = fields.Boolean(required=True)
    sub = fields.UUID(metadata={"description": "The sub-user's id."})
    scope = fields.String(metadata={"description": "The session's permissions, separated by spaces."})
    username = fields.String(metadata={"description": "The sub-user's e-mail."})
    name = fields.String(metadata={"description": "The sub-user's name and surname."})
    client_id = fields.UUID(metadata={"description": "The id of the API key of this request."})
    exp = fields.Integer(metadata={"description": "When the session ends, in seconds since 1970."})
    token_type = fields.String(metadata={"description": "Always `session`."})
    account_id = fields.UUID()
    must_change_password = fields.Boolean()
    assurance_level = _assurance_level()
    step_up_required = fields.Boolean()


class OwnSessionRow(SessionFields):
    """One of a person's own sessions."""

    current = fields.Boolean(
        required=True,
        attribute="is_current",
        metadata={"description": "Whether this is the session of the request's `Session-Token`."},
    )


class OwnSessionListAnswer(ResponseBody):
    """A person's own sessions."""

    items = fields.List(fields.Nested(OwnSessionRow), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class OwnPassword(Request):
    """A password change by the sub-user."""

    current_password = Password(required=True)
    new_password = NewPassword(required=True)
    device_id = ExactText(
        max_length=MAX_DEVICE_ID_LENGTH,
        load_default=None,
        allow_none=True,
        metadata={"description": "Your opaque id of the device, as for a login."},
    )
