"""The shapes of requests and answers, from which the OpenAPI document is made too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marshmallow import EXCLUDE, RAISE, Schema, fields, pre_dump, validate, validates_schema
from marshmallow.exceptions import ValidationError

from api.http.fields import Details, Email, Facts, Flag, NewPassword, Password, Text, Time, TriedEmail, Whole, Word
from domain.cause import ActorType
from domain.permissions import Permission
from domain.sub_user import CredentialsMailState
from projections.audit_actions import RESERVED
from projections.sub_user_queries import Sort

if TYPE_CHECKING:
    from uuid import UUID

LONGEST_NAME = 100
LONGEST_CURSOR = 2000
LARGEST_PAGE = 200
USUAL_PAGE = 50
HIGHEST_LIMIT = 10_000
MOST_ACTIVITIES = 1000
LANGUAGES = ("en", "it")
ACTION = "^[a-z0-9][a-z0-9_.-]{0,63}$"


class Request(Schema):
    """A body whose unknown fields are refused: a misspelled name must not pass for a change that was made."""

    class Meta:
        unknown = RAISE


class Query(Schema):
    """Query parameters; a misspelled filter must not pass for none."""

    class Meta:
        unknown = RAISE


class Answer(Schema):
    """What is answered."""

    class Meta:
        unknown = EXCLUDE


class ProblemAnswer(Answer):
    """An RFC 9457 problem."""

    type = fields.String(required=True, metadata={"description": "Stable; tells one kind of problem from another."})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.Dict(metadata={"description": "Why, by field, where fields were refused."})


class NewAccount(Request):
    """A main account to set up."""

    email = Email(required=True)
    company_name = Text(longest=LONGEST_NAME, required=True)
    language = fields.String(validate=validate.OneOf(LANGUAGES), load_default="en")
    password = NewPassword()


class AccountPatch(Request):
    """What is to change of an account."""

    email = Email()
    company_name = Text(longest=LONGEST_NAME)
    language = fields.String(validate=validate.OneOf(LANGUAGES))
    password = NewPassword()


class AccountAnswer(Answer):
    """A main account."""

    account_id = fields.UUID(required=True)
    email = fields.String(required=True)
    company_name = fields.String(required=True)
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))
    sub_user_limit = fields.Integer(required=True)
    sub_user_count = fields.Integer(required=True)
    created_at = Time(required=True)
    closed_at = Time(required=True, allow_none=True)


class NewLimit(Request):
    """A higher limit, and why."""

    limit = Whole(required=True, validate=validate.Range(1, HIGHEST_LIMIT))
    reason = Text(longest=500, required=True)


class NewSubUser(Request):
    """A collaborator to let in."""

    email = Email(required=True)
    name = Text(longest=LONGEST_NAME, required=True)
    surname = Text(longest=LONGEST_NAME, required=True)
    password = NewPassword()
    visible = Flag(load_default=True)
    access_expires_at = Time(allow_none=True, load_default=None)


class SubUserPatch(Request):
    """What is to change of a sub-user, all or nothing."""

    name = Text(longest=LONGEST_NAME)
    surname = Text(longest=LONGEST_NAME)
    password = NewPassword()
    active = Flag()
    visible = Flag()
    access_expires_at = Time(allow_none=True)


class SubUserAnswer(Answer):
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
    credentials_mail = fields.String(required=True, validate=validate.OneOf(list(CredentialsMailState)))
    locked = fields.Boolean(required=True)


class Paging(Query):
    """Which page of a list."""

    limit = fields.Integer(load_default=USUAL_PAGE, validate=validate.Range(1, LARGEST_PAGE))
    cursor = Text(
        longest=LONGEST_CURSOR,
        load_default=None,
        allow_none=False,
        metadata={"format": "cursor", "description": "`next_cursor` of the page before."},
    )


class SubUserListQuery(Paging):
    """Which sub-users to list."""

    status = fields.String(validate=validate.OneOf(["active", "inactive"]), load_default=None, allow_none=False)
    visibility = fields.String(validate=validate.OneOf(["visible", "hidden", "all"]), load_default="all")
    q = Text(longest=LONGEST_NAME, shortest=0, load_default="", metadata={"description": "Part of a name or e-mail."})
    sort = fields.String(
        validate=validate.OneOf([f"{minus}{sort}" for sort in Sort for minus in ("", "-")]),
        load_default="created_at",
        metadata={"description": "A leading - reverses."},
    )


class SubUserListAnswer(Answer):
    """A page of sub-users."""

    items = fields.List(fields.Nested(SubUserAnswer), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class SessionRow(Answer):
    """A session, without its token."""

    session_id = fields.UUID(required=True)
    opened_at = Time(required=True)
    last_used_at = Time(required=True)
    expires_at = Time(required=True)
    restricted = fields.Boolean(required=True, metadata={"description": "Good for setting one's own password alone."})
    ip = fields.String(required=True, allow_none=True)
    user_agent = fields.String(required=True, allow_none=True)


class SessionListAnswer(Answer):
    """A sub-user's sessions."""

    items = fields.List(fields.Nested(SessionRow), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class Login(Request):
    """The three things that a sub-user logs in with. Anything may be tried."""

    account_email = TriedEmail(required=True, validate=validate.Length(1, 1000))
    email = TriedEmail(required=True, validate=validate.Length(1, 1000))
    password = Password(required=True)


class OpenedSessionAnswer(Answer):
    """A session that was opened."""

    token = fields.String(required=True)
    expires_at = Time(required=True)
    account_id = fields.UUID(required=True)
    sub_user_id = fields.UUID(required=True)
    must_change_password = fields.Boolean(required=True)
    permissions = fields.List(fields.String(validate=validate.OneOf(list(Permission))), required=True)


class Introspection(Request):
    """Whether a session is good, and for what."""

    token = fields.String(required=True, validate=validate.Length(1, 1000))
    permission = fields.String(validate=validate.OneOf(list(Permission)), load_default=None)


class IntrospectionAnswer(Answer):
    """What a session is good for now. Of one that is not active nothing more is told."""

    active = fields.Boolean(required=True)
    account_id = fields.UUID()
    sub_user_id = fields.UUID()
    permissions = fields.List(fields.String(validate=validate.OneOf(list(Permission))))
    must_change_password = fields.Boolean()
    expires_at = Time()
    allowed = fields.Boolean()


class OwnPassword(Request):
    """A password of one's own."""

    current_password = Password(required=True)
    new_password = NewPassword(required=True)


class ActivityRow(Request):
    """One thing that a sub-user did."""

    sub_user_id = fields.UUID(required=True)
    action = Word(ACTION, required=True)
    target = Text(longest=500, allow_none=True, load_default=None)
    details = Details(allow_none=True, load_default=None)
    occurred_at = Time(load_default=None)

    @validates_schema
    def not_reserved(self, data: Any, **_: Any) -> None:
        """Refuse an action that would pass for one that this service sees itself."""
        if str(data.get("action", "")).startswith(RESERVED):
            msg = f"must not begin with {' or '.join(RESERVED)}"
            raise ValidationError(msg, "action")


class NewActivities(Request):
    """What sub-users did."""

    activities = fields.List(fields.Nested(ActivityRow), required=True, validate=validate.Length(1, MOST_ACTIVITIES))


class ActivitiesAnswer(Answer):
    """How many were recorded."""

    recorded = fields.Integer(required=True)

    @pre_dump
    def count(self, ids: list[UUID], **_: Any) -> dict[str, int]:
        """Tell of the ids of what was recorded only how many they are."""
        return {"recorded": len(ids)}


class AuditLogQuery(Paging):
    """Which part of the audit log to read."""

    sub_user_id = fields.UUID(load_default=None, allow_none=False)
    action = Text(longest=64, load_default=None, allow_none=False)
    since = Time(load_default=None, allow_none=False)
    until = Time(load_default=None, allow_none=False)


class AuditActor(Answer):
    """Who did it."""

    type = fields.String(required=True, validate=validate.OneOf(list(ActorType)))
    id = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)


class AuditRowAnswer(Answer):
    """One thing that happened."""

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
    details = Facts(required=True, allow_none=True)


class AuditLogAnswer(Answer):
    """A page of the audit log, newest first."""

    items = fields.List(fields.Nested(AuditRowAnswer), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class HealthAnswer(Answer):
    """How the service is."""

    status = fields.String(required=True)
