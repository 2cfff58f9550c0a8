"""What is asked for and answered of a history."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.fields import Fact, Time
from api.http.schemas import Answer, AuditRowAnswer, Paging


class HistoryQuery(Paging):
    """Up to which moment, and about whom."""

    as_of = Time(
        load_default=None,
        allow_none=False,
        metadata={"description": "What was recorded by then, and what was so then."},
    )
    sub_user_id = fields.UUID(load_default=None, allow_none=False)


class ChangeAnswer(Answer):
    """How one thing was before an event, and after it; null where there was none, or is none any more."""

    before = Fact(required=True, allow_none=True)
    after = Fact(required=True, allow_none=True)


class HistoryEntryAnswer(AuditRowAnswer):
    """One thing that happened, in words and in data."""

    event = fields.String(required=True, metadata={"description": "The topic under which it is stored."})
    account_version = fields.Integer(
        required=True,
        allow_none=True,
        attribute="version",
        metadata={"description": "Where in the account's own stream it stands; null where it stands beside it."},
    )
    request_id = fields.String(required=True, allow_none=True)
    in_words = fields.String(required=True, metadata={"description": "What happened, in English."})
    changes = fields.Dict(keys=fields.String(), values=fields.Nested(ChangeAnswer), required=True)


class SubUserStateAnswer(Answer):
    """A sub-user at a moment."""

    sub_user_id = fields.UUID(required=True)
    email = fields.String(required=True)
    name = fields.String(required=True)
    surname = fields.String(required=True)
    has_access = fields.Boolean(required=True, metadata={"description": "Whether they could log in then."})
    why_no_access = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(["account_closed", "locked", "inactive", "expired"]),
        metadata={"description": "The first reason of these."},
    )
    status = fields.String(required=True, validate=validate.OneOf(["active", "inactive"]))
    locked = fields.Boolean(required=True)
    expired = fields.Boolean(required=True)
    visible = fields.Boolean(required=True)
    must_change_password = fields.Boolean(required=True)
    access_expires_at = Time(required=True, allow_none=True)
    last_login_at = Time(required=True, allow_none=True)
    created_at = Time(required=True)


class AccountStateAnswer(Answer):
    """An account at a moment, with the sub-users whom it had then."""

    account_id = fields.UUID(required=True)
    as_of = Time(required=True)
    account_version = fields.Integer(
        required=True, attribute="version", metadata={"description": "How many events of its own it had then."}
    )
    email = fields.String(required=True)
    company_name = fields.String(required=True)
    language = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["open", "closed"]))
    created_at = Time(required=True)
    closed_at = Time(required=True, allow_none=True)
    sub_user_limit = fields.Integer(required=True)
    included_minutes = fields.Integer(required=True, allow_none=True)
    included_tokens = fields.Integer(required=True, allow_none=True)
    period_start = fields.Date(required=True, allow_none=True)
    with_access = fields.Integer(required=True, metadata={"description": "How many of all its sub-users had access."})
    sub_users = fields.List(fields.Nested(SubUserStateAnswer), required=True)


class HistoryAnswer(Answer):
    """A part of a history, oldest first."""

    items = fields.List(fields.Nested(HistoryEntryAnswer), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
    state = fields.Nested(
        AccountStateAnswer,
        required=True,
        allow_none=True,
        metadata={"description": "With the first part: what all of it amounts to; null if there was no account yet."},
    )


class HistoryEndAnswer(Answer):
    """The last line of a history that is told whole."""

    end = fields.Constant(constant=True, required=True)
    events = fields.Integer(required=True)
    state = fields.Nested(AccountStateAnswer, required=True, allow_none=True)
