"""Schemas of password resets."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.fields.texts import NewPassword, SignInEmail
from api.http.response_bodies import ResponseBody
from api.http.schemas import Request

MAX_LINK_TOKEN_LENGTH = 1000


class NewPasswordReset(Request):
    """A person who forgot their password. Only lengths are checked: any value may be tried."""

    account_email = SignInEmail(required=True, validate=validate.Length(1, 1000))
    email = SignInEmail(
        load_default=None,
        validate=validate.Length(1, 1000),
        metadata={"description": "The sub-user's e-mail. Without it, the person is the account's owner."},
    )


class PasswordResetAnswer(ResponseBody):
    """What the person can expect, if they exist."""

    link_lifetime_seconds = fields.Integer(required=True)


class ChosenPassword(Request):
    """The token of a mailed link, and a password that the person chose."""

    token = fields.String(
        required=True,
        validate=validate.Length(1, MAX_LINK_TOKEN_LENGTH),
        metadata={"description": "The last part of the link's URL."},
    )
    new_password = NewPassword(required=True)
