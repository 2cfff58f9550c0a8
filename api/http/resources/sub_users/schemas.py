"""Schemas of sub-users and their sessions."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from api.http.fields.numbers import StrictBoolean
from api.http.fields.texts import Email, NewPassword, SearchText, Text
from api.http.fields.times import Expiry, Time
from api.http.resources.roles.schemas import GrantDefinition
from api.http.response_bodies import ResponseBody
from api.http.schemas import MAX_NAME_LENGTH, Paging, Request
from domain.assurance_level import AssuranceLevel
from domain.roles import MAX_GRANTS
from domain.sub_user import AccessStatus, CredentialsKind, CredentialsMailState
from projections.sub_users.queries import Sort

SUB_USER_ID = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"
ACCOUNT_ID = "9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90"
"""Ids in the examples of the OpenAPI document."""


class ActiveStatus(StrictBoolean):
    """A status as a boolean, the type of the deprecated field `active`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return "active" if super()._deserialize(value, attr, data, **kwargs) else "inactive"


class NewSubUser(Request):
    """A sub-user to create."""

    email = Email(required=True)
    name = Text(max_length=MAX_NAME_LENGTH, required=True)
    surname = Text(max_length=MAX_NAME_LENGTH, required=True)
    password = NewPassword()
    visible = StrictBoolean(load_default=True)
    access_expires_at = Expiry(allow_none=True, load_default=None)
    grants = fields.List(
        fields.Nested(GrantDefinition),
        allow_none=True,
        load_default=None,
        validate=validate.Length(0, MAX_GRANTS),
        metadata={"description": "All of their grants. Without them: the role Operator on everything."},
    )


class SubUserPatch(Request):
    """Changes to a sub-user. All are applied, or none."""

    email = Email()
    name = Text(max_length=MAX_NAME_LENGTH)
    surname = Text(max_length=MAX_NAME_LENGTH)
    password = NewPassword()
    status = fields.String(validate=validate.OneOf(["active", "inactive"]))
    active = ActiveStatus()
    visible = StrictBoolean()
    access_expires_at = Expiry(allow_none=True)
    credentials = fields.String(
        validate=validate.OneOf(list(CredentialsKind)),
        metadata={
            "description": "What the credentials mail contains that the changes cause: a temporary password, or a link "
            "to choose a password. Default: a temporary password; for a new e-mail address, the same as in the last "
            "mail. Not allowed without such a change, and `link` not together with `password`."
        },
    )


class CredentialsMail(Request):
    """Kind of the credentials to mail."""

    credentials = fields.String(
        validate=validate.OneOf(list(CredentialsKind)),
        load_default=None,
        metadata={
            "description": "A temporary password, or a link to choose one. Default: the same as in the last mail."
        },
    )


class SubUserAnswer(ResponseBody):
    """A sub-user."""

    sub_user_id = fields.UUID(required=True)
    account_id = fields.UUID(required=True)
    email = fields.String(required=True)
    name = fields.String(required=True)
    surname = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["active", "inactive"]))
    visible = fields.Boolean(required=True)
    created_at = Time(required=True)
    last_login_at = Time(required=True, allow_none=True)
    access_expires_at = Time(required=True, allow_none=True)
    must_change_password = fields.Boolean(required=True)
    temporary_password_expires_at = Time(
        required=True,
        allow_none=True,
        metadata={"description": "When the current temporary password or invitation expires or expired, else null."},
    )
    credentials = fields.String(
        required=True,
        attribute="credentials_kind",
        validate=validate.OneOf(list(CredentialsKind)),
        metadata={"description": "What the last credentials mail contained: a temporary password, or a link."},
    )
    credentials_mail = fields.String(required=True, validate=validate.OneOf(list(CredentialsMailState)))
    locked = fields.Boolean(required=True)
    has_second_factor = fields.Boolean(required=True)


SUB_USER_EXAMPLE = {
    "sub_user_id": SUB_USER_ID,
    "account_id": ACCOUNT_ID,
    "email": "grace@company.example",
    "name": "Grace",
    "surname": "Hopper",
    "status": "active",
    "visible": True,
    "created_at": "2026-05-01T08:00:00Z",
    "last_login_at": None,
    "access_expires_at": None,
    "must_change_password": True,
    "temporary_password_expires_at": "2026-05-08T08:00:00Z",
    "credentials": "password",
    "credentials_mail": "pending",
    "locked": False,
    "has_second_factor": False,
}
"""Example of a sub-user. It is here so that a new field has one place for its schema and its example."""


class SubUserListQuery(Paging):
    """Filters and order of a list of sub-users."""

    status = fields.String(validate=validate.OneOf(["active", "inactive"]), load_default=None, allow_none=False)
    access_status = fields.String(
        validate=validate.OneOf(list(AccessStatus)),
        load_default=None,
        allow_none=False,
        metadata={
            "description": "The first of these that holds now: `inactive`, `expired` (the access), "
            "`locked`, `invited` (active, but has never logged in), `expiring` (within 7 days), `active`."
        },
    )
    visibility = fields.String(validate=validate.OneOf(["visible", "hidden", "all"]), load_default="all")
    q = SearchText(
        max_length=MAX_NAME_LENGTH,
        min_length=0,
        load_default="",
        metadata={"description": "Part of a name or e-mail address, regardless of case and accents."},
    )
    sort = fields.String(
        validate=validate.OneOf([f"{minus}{sort}" for sort in Sort for minus in ("", "-")]),
        load_default="created_at",
        metadata={"description": "A leading `-` reverses the order."},
    )


class SubUserListAnswer(ResponseBody):
    """A page of sub-users."""

    items = fields.List(fields.Nested(SubUserAnswer), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class SessionFields(ResponseBody):
    """Fields of a session in lists."""

    session_id = fields.UUID(required=True)
    created_at = Time(required=True, attribute="opened_at")
    last_used_at = Time(required=True)
    expires_at = Time(required=True)
    must_change_password = fields.Boolean(
        required=True,
        metadata={"description": "Whether the session, opened with a temporary password, can only set a new one."},
    )
    ip = fields.String(required=True, allow_none=True)
    user_agent = fields.String(required=True, allow_none=True)
    assurance_level = fields.String(
        required=True,
        attribute="assurance",
        validate=validate.OneOf([*AssuranceLevel]),
        metadata={"description": "How the person authenticated for the session."},
    )
    browser = fields.String(
        required=True,
        allow_none=True,
        attribute="client.browser",
        metadata={"description": "The browser that `user_agent` names, such as `Firefox`."},
    )
    device = fields.String(
        required=True,
        allow_none=True,
        attribute="client.device",
        metadata={"description": "The device or system that `user_agent` names, such as `iPhone` or `Windows`."},
    )
    country = fields.String(
        required=True,
        allow_none=True,
        attribute="client.country",
        metadata={"description": "Where `ip` is, by ISO 3166-1, if the operator provides a GeoIP database."},
    )
    city = fields.String(
        required=True,
        allow_none=True,
        attribute="client.city",
        metadata={"description": "Where `ip` is, in English, if the operator provides a GeoIP database."},
    )


class SessionRow(SessionFields):
    """A session without its token."""


class SessionListAnswer(ResponseBody):
    """A sub-user's sessions."""

    items = fields.List(fields.Nested(SessionRow), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
