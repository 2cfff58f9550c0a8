"""Schemas of reported activities."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from api.http.fields.json_values import MAX_DETAILS_DEPTH, MAX_DETAILS_LENGTH, Details
from api.http.fields.numbers import Id
from api.http.fields.texts import MachineName, Text
from api.http.fields.times import ReportedTime
from api.http.schemas import Request
from projections.audit_log.actions import RESERVED

MAX_ACTIVITIES = 1000
ACTION = "^[a-z0-9][a-z0-9_.-]{0,63}$"


class ActivityAction(MachineName):
    """Name of an action on the portal. It cannot be mistaken for one that the service records itself."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ACTION, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        action = super()._deserialize(value, attr, data, **kwargs)
        if action.startswith(RESERVED):
            msg = f"must not begin with {' or '.join(RESERVED)}"
            raise ValidationError(msg)
        return action


class ActivityRow(Request):
    """An activity of a sub-user on the portal."""

    sub_user_id = Id(required=True)
    action = ActivityAction(required=True)
    target = Text(max_length=500, allow_none=True, load_default=None)
    details = Details(
        allow_none=True,
        load_default=None,
        metadata={
            "description": f"Any JSON of at most {MAX_DETAILS_LENGTH:,} characters and {MAX_DETAILS_DEPTH} levels, "
            "without NUL."
        },
    )
    occurred_at = ReportedTime(load_default=None)


class NewActivities(Request):
    """Activities of sub-users."""

    activities = fields.List(fields.Nested(ActivityRow), required=True, validate=validate.Length(1, MAX_ACTIVITIES))
