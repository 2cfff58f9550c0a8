"""Schemas of sign-in and introspection."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.fields.texts import NewPassword, Password, SignInEmail
from api.http.fields.times import Time
from api.http.response_bodies import ResponseBody
from api.http.schemas import Request
from domain.permission_catalog import Permission

MAX_TOKEN_LENGTH = 1000


class Login(Request):
    """Credentials of a sub-user. Only lengths are checked: any value may be tried."""

    account_email = SignInEmail(required=True, validate=validate.Length(1, 1000))
    email = SignInEmail(required=True, validate=validate.Length(1, 1000))
    password = Password(required=True)


class OpenedSessionAnswer(ResponseBody):
    """A new session and its token."""

    token = fields.String(required=True)
    expires_at = Time(required=True)
    account_id = fields.UUID(required=True)
    sub_user_id = fields.UUID(required=True, attribute="person_id")
    must_change_password = fields.Boolean(required=True)
    permissions = fields.List(fields.String(validate=validate.OneOf(list(Permission))), required=True)


class Introspection(Request):
    """A session token to check, and optionally a permission."""

    token = fields.String(required=True, validate=validate.Length(1, MAX_TOKEN_LENGTH))
    permission = fields.String(validate=validate.OneOf(list(Permission)), load_default=None)


class IntrospectionAnswer(ResponseBody):
    """State of a session. An inactive session has no fields except `active`, and `allowed` if a permission was sent."""

    active = fields.Boolean(required=True)
    account_id = fields.UUID()
    sub_user_id = fields.UUID()
    permissions = fields.List(fields.String(validate=validate.OneOf(list(Permission))))
    must_change_password = fields.Boolean()
    expires_at = Time()
    allowed = fields.Boolean()


class OwnPassword(Request):
    """A password change by the sub-user."""

    current_password = Password(required=True)
    new_password = NewPassword(required=True)
