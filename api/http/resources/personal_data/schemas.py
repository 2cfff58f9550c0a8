"""Response body of the personal data of a sub-user."""

from __future__ import annotations

from marshmallow import fields

from api.http.fields.numbers import Minutes
from api.http.fields.times import Time
from api.http.resources.audit_log.schemas import AuditRowAnswer
from api.http.resources.sub_users.schemas import SessionRow, SubUserAnswer
from api.http.response_bodies import ResponseBody


class MailOfPerson(ResponseBody):
    """A mail to the person, and its delivery state."""

    notice = fields.String(required=True)
    asked_at = Time(required=True)
    state = fields.String(required=True)
    attempts = fields.Integer(required=True)
    settled_at = Time(required=True, allow_none=True)


class UsageOfPerson(ResponseBody):
    """Usage of the person on a day (UTC)."""

    day = fields.Date(required=True)
    conversation_ms = fields.Integer(required=True)
    conversation_minutes = Minutes(required=True)
    llm_tokens = fields.Integer(required=True)


class PersonalDataAnswer(ResponseBody):
    """All stored personal data of a person."""

    account_id = fields.UUID(required=True)
    sub_user_id = fields.UUID(required=True)
    profile = fields.Nested(
        SubUserAnswer,
        required=True,
        allow_none=True,
        metadata={"description": "Null for a deleted sub-user under a legal hold."},
    )
    erasure_due_at = Time(required=True, allow_none=True)
    sessions = fields.List(fields.Nested(SessionRow), required=True)
    mails = fields.List(fields.Nested(MailOfPerson), required=True)
    usage = fields.List(fields.Nested(UsageOfPerson), required=True)
    audit_log = fields.List(fields.Nested(AuditRowAnswer), required=True)
