"""Schemas of sign-in and introspection."""

from __future__ import annotations

from marshmallow import EXCLUDE, fields, validate

from api.http.fields.numbers import StrictBoolean
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

    token = fields.String(
        required=True, metadata={"description": "Any text: one that is no token of a session is inactive."}
    )
    permission = fields.String(validate=validate.OneOf(list(Permission)), load_default=None)
    profile = StrictBoolean(
        load_default=False,
        metadata={"description": "Whether to return the sub-user's name and e-mail, which takes longer."},
    )


class IntrospectionAnswer(ResponseBody):
    """State of a session. An inactive session has no fields except `active`, and `allowed` if a permission was sent.

    `email`, `name` and `surname` are there if `profile` was sent.
    """

    active = fields.Boolean(required=True)
    account_id = fields.UUID()
    sub_user_id = fields.UUID()
    permissions = fields.List(fields.String(validate=validate.OneOf(list(Permission))))
    must_change_password = fields.Boolean()
    expires_at = Time()
    allowed = fields.Boolean()
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


class OwnPassword(Request):
    """A password change by the sub-user."""

    current_password = Password(required=True)
    new_password = NewPassword(required=True)
