"""Schemas of an account's history."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.fields.json_values import EventValue
from api.http.fields.numbers import Id
from api.http.fields.times import Time, TimeOrDay
from api.http.resources.audit_log.schemas import AuditRowAnswer
from api.http.response_bodies import ResponseBody
from api.http.schemas import Paging
from domain.second_factor import SecondFactorPolicy


class HistoryQuery(Paging):
    """Time and sub-user of a history."""

    as_of = TimeOrDay(
        load_default=None,
        allow_none=False,
        metadata={
            "description": "Return the events recorded up to this time, and the state at this time. A day means its "
            "beginning in UTC. Must not be in the future. Default: now."
        },
    )
    sub_user_id = Id(load_default=None, allow_none=False)


class ChangeAnswer(ResponseBody):
    """Value of a field before and after an event; null if there was none."""

    before = EventValue(required=True, allow_none=True)
    after = EventValue(required=True, allow_none=True)


class HistoryEntryAnswer(AuditRowAnswer):
    """An event of a history, with a description in words."""

    event = fields.String(required=True, metadata={"description": "Topic of the stored event."})
    account_version = fields.Integer(
        required=True,
        allow_none=True,
        attribute="version",
        metadata={"description": "Version in the account's stream; null for events outside of it."},
    )
    request_id = fields.String(required=True, allow_none=True)
    in_words = fields.String(required=True, metadata={"description": "Description of the event in English."})
    changes = fields.Dict(keys=fields.String(), values=fields.Nested(ChangeAnswer), required=True)


class SubUserStateAnswer(ResponseBody):
    """State of a sub-user at a time."""

    sub_user_id = fields.UUID(required=True)
    email = fields.String(required=True)
    name = fields.String(required=True)
    surname = fields.String(required=True)
    has_access = fields.Boolean(
        required=True, metadata={"description": "Whether the sub-user could log in at that time."}
    )
    no_access_reason = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(["account_closed", "locked", "inactive", "expired", "temporary_password_expired"]),
        metadata={"description": "The first of these reasons that applied; null with access."},
    )
    status = fields.String(required=True, validate=validate.OneOf(["active", "inactive"]))
    locked = fields.Boolean(required=True)
    expired = fields.Boolean(required=True)
    visible = fields.Boolean(required=True)
    must_change_password = fields.Boolean(required=True)
    has_second_factor = fields.Boolean(required=True)
    temporary_password_expires_at = Time(required=True, allow_none=True)
    access_expires_at = Time(required=True, allow_none=True)
    last_login_at = Time(required=True, allow_none=True)
    created_at = Time(required=True)


class AccountStateAnswer(ResponseBody):
    """State of an account and its sub-users at a time."""

    account_id = fields.UUID(required=True)
    as_of = Time(required=True)
    account_version = fields.Integer(
        required=True,
        attribute="version",
        metadata={"description": "Number of events in the account's stream at that time."},
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
    external_id = fields.String(required=True, allow_none=True)
    second_factor_policy = fields.String(required=True, validate=validate.OneOf([*SecondFactorPolicy]))
    with_access = fields.Integer(required=True, metadata={"description": "Number of these sub-users with access."})
    sub_users = fields.List(fields.Nested(SubUserStateAnswer), required=True)


class HistoryAnswer(ResponseBody):
    """A page of a history, oldest events first."""

    items = fields.List(fields.Nested(HistoryEntryAnswer), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
    state = fields.Nested(
        AccountStateAnswer,
        required=True,
        allow_none=True,
        metadata={
            "description": "On the first page: the state after all events; null if the account did not exist yet."
        },
    )


class HistoryEndAnswer(ResponseBody):
    """The last line of a complete history download."""

    end = fields.Constant(constant=True, required=True)
    events = fields.Integer(required=True, attribute="event_count")
    state = fields.Nested(AccountStateAnswer, required=True, allow_none=True)
