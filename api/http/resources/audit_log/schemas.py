"""Schemas of the audit log."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from marshmallow import ValidationError, fields, validate

from api.http.fields.json_values import EventDetails
from api.http.fields.numbers import Id, QueryBoolean
from api.http.fields.texts import Text
from api.http.fields.times import Time, TimeOrDay
from api.http.response_bodies import ResponseBody
from api.http.schemas import Paging, RangeQuery
from domain.event_metadata import ActorType
from projections.audit_log.actions import ACTIONS, RESERVED

SERVICE_ACTIONS = sorted(ACTIONS.values())
MAX_ACTIONS = 50
"""Actions in one filter: more than the service has."""


class Actions(fields.List[Any]):
    """Actions to select. Refuses an unknown one with a prefix of the service: an empty list would hide the mistake."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Text(max_length=64), validate=validate.Length(max=MAX_ACTIONS), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        actions: list[Any] = super()._deserialize(value, attr, data, **kwargs)
        for action in actions:
            if action.startswith(RESERVED) and action not in SERVICE_ACTIONS:
                similar = get_close_matches(action, SERVICE_ACTIONS, 1)
                hint = f": did you mean {similar[0]}?" if similar else ""
                raise ValidationError(f"{action} is not an action of the service{hint}")
        return actions


class AuditLogQuery(RangeQuery, Paging):
    """Filters of the audit log."""

    sub_user_id = Id(load_default=None, allow_none=False)
    action = Actions(
        load_default=(),
        metadata={"description": "Entries with this action; repeat it for entries with any of several actions."},
    )
    actor_type = fields.String(
        load_default=None,
        allow_none=False,
        validate=validate.OneOf(list(ActorType)),
        metadata={"description": "Entries whose actor is of this type."},
    )
    actor_id = Text(
        max_length=64,
        load_default=None,
        allow_none=False,
        metadata={"description": "Entries with this actor: `actor.id` of an entry."},
    )
    since = TimeOrDay(load_default=None, allow_none=False)
    until = TimeOrDay(load_default=None, allow_none=False)
    bom = QueryBoolean(
        load_default=False,
        metadata={"description": "Begin `text/csv` with a byte order mark, so that Excel reads the file as UTF-8."},
    )


class AuditActor(ResponseBody):
    """The actor of an audit log entry."""

    type = fields.String(required=True, validate=validate.OneOf(list(ActorType)))
    id = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    api_key_id = fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "The API key with which the command was sent. Null for other commands."},
    )
    person = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The person at the portal who acted, from the header `X-Actor`."},
    )


class AuditRowAnswer(ResponseBody):
    """An entry of the audit log."""

    position = fields.Integer(required=True)
    occurred_at = Time(required=True)
    recorded_at = Time(required=True)
    action = fields.String(required=True)
    actor = fields.Nested(AuditActor, required=True)
    sub_user_id = fields.UUID(required=True, allow_none=True)
    target = fields.String(required=True, allow_none=True)
    ip = fields.String(required=True, allow_none=True)
    user_agent = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    details = EventDetails(required=True, allow_none=True)


class AuditLogAnswer(ResponseBody):
    """A page of the audit log, newest first."""

    items = fields.List(fields.Nested(AuditRowAnswer), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
