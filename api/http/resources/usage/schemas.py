"""Schemas of usage and plans."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate, validates_schema
from marshmallow.exceptions import ValidationError

from api.http.fields.numbers import Id, Minutes, StrictInteger
from api.http.fields.times import Day, ReportedTime
from api.http.response_bodies import ResponseBody
from api.http.schemas import RangeQuery, Request
from domain.plan import MS_PER_MINUTE
from projections.usage.queries import VISIBILITIES

MAX_USAGE_REPORTS = 1000
MAX_MINUTES = 100_000
MAX_TOKENS = 1_000_000_000
MAX_INCLUDED_MINUTES = 1_000_000_000
MAX_INCLUDED_TOKENS = 1_000_000_000_000_000


class UsageRow(Request):
    """A usage report of a sub-user."""

    sub_user_id = Id(required=True)
    conversation_ms = StrictInteger(
        validate=validate.Range(0, MAX_MINUTES * MS_PER_MINUTE),
        metadata={"description": "Milliseconds of conversation, the unit of the published events."},
    )
    conversation_minutes = Minutes(maximum=MAX_MINUTES)
    llm_tokens = StrictInteger(validate=validate.Range(0, MAX_TOKENS))
    occurred_at = ReportedTime()

    @validates_schema
    def require_an_amount(self, data: Any, **_: Any) -> None:
        """Refuse a report without an amount: a missing field is a mistake, not zero usage."""
        if not {"conversation_ms", "llm_tokens"} & set(data):
            raise ValidationError("this field or llm_tokens is required", "conversation_ms")


class NewUsage(UsageRow):
    """Usage of sub-users: a list of reports under `usage`, or the fields of a single report."""

    usage = fields.List(fields.Nested(UsageRow), validate=validate.Length(1, MAX_USAGE_REPORTS))
    sub_user_id = Id()

    @validates_schema
    def require_an_amount(self, data: Any, **_: Any) -> None:
        """Refuse a body with neither form, or with both."""
        if "usage" not in data and "sub_user_id" in data:
            super().require_an_amount(data)
        elif set(data) != {"usage"}:
            msg = "send either this field alone or the fields of a single report"
            raise ValidationError(msg, "usage")


class UsageQuery(RangeQuery):
    """The days to sum up, and the sub-users to list."""

    since = Day(load_default=None, allow_none=False, metadata={"description": "The first day, in UTC."})
    until = Day(load_default=None, allow_none=False, metadata={"description": "The day after the last day, in UTC."})
    visibility = fields.String(validate=validate.OneOf(VISIBILITIES), load_default="visible")


class UsedAnswer(ResponseBody):
    """Amounts of usage."""

    conversation_ms = fields.Integer(required=True)
    conversation_minutes = Minutes(required=True)
    llm_tokens = fields.Integer(required=True)


class DayUsageAnswer(ResponseBody):
    """Usage on one day."""

    day = Day(required=True)
    conversation_ms = fields.Integer(required=True, attribute="used.conversation_ms")
    conversation_minutes = Minutes(required=True)
    llm_tokens = fields.Integer(required=True, attribute="used.llm_tokens")


class SubUserUsageAnswer(ResponseBody):
    """Usage of a sub-user."""

    sub_user_id = fields.UUID(required=True)
    name = fields.String(required=True)
    visible = fields.Boolean(required=True)
    conversation_ms = fields.Integer(required=True, attribute="used.conversation_ms")
    conversation_minutes = Minutes(required=True)
    llm_tokens = fields.Integer(required=True, attribute="used.llm_tokens")


class PlanStandingAnswer(ResponseBody):
    """A plan, and its usage in the current period, from `since` until `until`.

    `period_start` is the day of the plan from which all its periods are counted.
    """

    included_ms = fields.Integer(
        required=True,
        attribute="plan.included.conversation_ms",
        metadata={"description": "`included_minutes` in milliseconds, for comparison with `used_ms`."},
    )
    included_minutes = fields.Integer(required=True, attribute="plan.included_minutes")
    included_tokens = fields.Integer(required=True, attribute="plan.included_tokens")
    period_start = Day(required=True, attribute="plan.period_start")
    since = Day(required=True, attribute="period.first")
    until = Day(required=True, attribute="period.end")
    used_ms = fields.Integer(
        required=True, attribute="used.conversation_ms", metadata={"description": "Milliseconds of conversation."}
    )
    used_minutes = Minutes(required=True)
    used_tokens = fields.Integer(required=True, attribute="used.llm_tokens")


class UsageAnswer(ResponseBody):
    """Usage of an account over some days. The totals include hidden and deleted sub-users."""

    since = Day(required=True, attribute="first_day")
    until = Day(required=True, attribute="end")
    total = fields.Nested(UsedAnswer, required=True)
    days = fields.List(fields.Nested(DayUsageAnswer), required=True)
    sub_users = fields.List(fields.Nested(SubUserUsageAnswer), required=True)
    deleted = fields.Nested(UsedAnswer, required=True)
    plan = fields.Nested(PlanStandingAnswer, required=True, allow_none=True)


class NewPlan(Request):
    """A monthly plan to set for an account."""

    included_minutes = StrictInteger(required=True, validate=validate.Range(0, MAX_INCLUDED_MINUTES))
    included_tokens = StrictInteger(required=True, validate=validate.Range(0, MAX_INCLUDED_TOKENS))
    period_start = Day(required=True, metadata={"description": "Any day on which a period begins, in UTC."})


class PlanAnswer(ResponseBody):
    """The monthly plan of an account."""

    included_minutes = fields.Integer(required=True)
    included_tokens = fields.Integer(required=True)
    period_start = Day(required=True)
