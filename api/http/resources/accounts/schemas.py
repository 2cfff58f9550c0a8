"""Schemas of accounts."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from api.http.fields.numbers import StrictBoolean, StrictInteger
from api.http.fields.texts import Email, NewPassword, Text
from api.http.fields.times import Time
from api.http.response_bodies import ResponseBody
from api.http.schemas import MAX_NAME_LENGTH, Paging, Query, Request
from domain.assurance_level import AssuranceLevel
from domain.second_factor import SecondFactorPolicy

LANGUAGES = ("en", "it")
MAX_SUB_USER_LIMIT = 10_000
MAX_EXTERNAL_ID_LENGTH = 200
PASSWORD_RESET_POLICY = "Whether sub-users may reset a forgotten password by mail."
LINK_LEVELS = (AssuranceLevel.PASSWORD, AssuranceLevel.SECOND_FACTOR)


def _external_id(**options: Any) -> Text:
    description = "The portal's own id of the account, unique among its open accounts."
    return Text(max_length=MAX_EXTERNAL_ID_LENGTH, metadata={"description": description}, **options)


class NewAccount(Request):
    """A main account to register."""

    email = Email(required=True)
    company_name = Text(max_length=MAX_NAME_LENGTH, required=True)
    language = fields.String(validate=validate.OneOf(LANGUAGES), load_default="en")
    password = NewPassword()
    external_id = _external_id(allow_none=True)


class AccountPatch(Request):
    """Changes to an account."""

    email = Email(metadata={"description": "Has to be confirmed with a link that is mailed there."})
    email_verified = StrictBoolean(
        metadata={"description": "True if you have verified the `email` yourself: then it changes at once."}
    )
    company_name = Text(max_length=MAX_NAME_LENGTH)
    language = fields.String(validate=validate.OneOf(LANGUAGES))
    password = NewPassword()
    external_id = _external_id(allow_none=True)
    sub_user_password_reset = StrictBoolean(metadata={"description": PASSWORD_RESET_POLICY})
    second_factor_policy = fields.Enum(
        SecondFactorPolicy,
        by_value=True,
        metadata={"description": "Who needs a second factor: those who have one, or everybody."},
    )


class AccountListQuery(Paging):
    """Which accounts to list."""

    email = Email()
    external_id = _external_id()


class AccountAnswer(ResponseBody):
    """A main account."""

    account_id = fields.UUID(required=True)
    email = fields.String(required=True)
    company_name = fields.String(required=True)
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))
    sub_user_limit = fields.Integer(required=True)
    sub_user_count = fields.Integer(required=True)
    created_at = Time(required=True)
    closed_at = Time(required=True, allow_none=True)
    external_id = fields.String(
        required=True, allow_none=True, metadata={"description": "The portal's own id of the account."}
    )
    sub_user_password_reset = fields.Boolean(required=True, metadata={"description": PASSWORD_RESET_POLICY})
    second_factor_policy = fields.String(required=True, validate=validate.OneOf([*SecondFactorPolicy]))
    pending_email = fields.String(
        required=True, allow_none=True, metadata={"description": "An e-mail that has to be confirmed."}
    )
    pending_email_expires_at = Time(
        required=True, allow_none=True, metadata={"description": "When the link that confirms it expires."}
    )


class AccountListAnswer(ResponseBody):
    """A page of accounts, oldest first."""

    items = fields.List(fields.Nested(AccountAnswer), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ConsoleLinkQuery(Query):
    """The level of the session that a console link opens."""

    assurance_level = fields.String(
        validate=validate.OneOf(LINK_LEVELS),
        load_default=AssuranceLevel.PASSWORD,
        metadata={"description": "`second_factor` if the portal has verified one of the owner."},
    )


class ConsoleLinkAnswer(ResponseBody):
    """A single-use link that logs the owner of an account in to the console."""

    url = fields.String(required=True, metadata={"format": "uri"})
    expires_at = Time(required=True)


class NewLimit(Request):
    """A higher sub-user limit and the reason for it."""

    sub_user_limit = StrictInteger(required=True, validate=validate.Range(1, MAX_SUB_USER_LIMIT))
    reason = Text(max_length=500, required=True)
