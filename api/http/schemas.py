"""The shapes of requests and answers, from which the OpenAPI document is made too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from marshmallow import EXCLUDE, RAISE, Schema, fields, pre_dump, validate, validates_schema
from marshmallow.exceptions import ValidationError
from webargs.fields import DelimitedList

from api.http import plain
from api.http.fields import (
    Day,
    Details,
    Email,
    Facts,
    Flag,
    Minutes,
    NewPassword,
    Password,
    Text,
    Time,
    TriedEmail,
    Whole,
    Word,
)
from application.webhook_receivers import LONGEST_URL, URL
from application.webhooks import Signature, Why
from domain.cause import ActorType
from domain.permissions import Permission
from domain.sub_user import CredentialsMailState
from projections.audit_actions import RESERVED
from projections.published_events import BY_TYPE
from projections.sub_user_queries import Sort
from projections.usage_queries import VISIBILITIES

if TYPE_CHECKING:
    from uuid import UUID

LONGEST_NAME = plain.LONGEST_NAME
LONGEST_CURSOR = 2000
LARGEST_PAGE = 200
USUAL_PAGE = 50
HIGHEST_LIMIT = 10_000
MOST_ACTIVITIES = 1000
MOST_USAGE_REPORTS = 1000
MOST_MINUTES = 100_000
MOST_TOKENS = 1_000_000_000
MOST_INCLUDED_MINUTES = 1_000_000_000
MOST_INCLUDED_TOKENS = 1_000_000_000_000_000
MOST_EVENTS = 1000
LONGEST_EVENT_WAIT = 30
HIGHEST_POSITION = 2**63 - 1
LANGUAGES = ("en", "it")
ACTION = "^[a-z0-9][a-z0-9_.-]{0,63}$"


_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


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

    def written(self, value: object) -> bytes:
        """Return a value as JSON."""
        return _json(self.dump(value)).encode()


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


class ConsoleLinkAnswer(Answer):
    """A link by which the owner of an account logs in, once."""

    url = fields.String(required=True, metadata={"format": "uri"})
    expires_at = Time(required=True)


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

    def load(self, data: Any, **kwargs: Any) -> Any:
        """Return what the fields would, and ask them only about what is not plain."""
        found = plain.sub_user_patch(data)
        return super().load(data, **kwargs) if found is None else found


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

    def written(self, value: Any) -> bytes:
        """Return what the fields would, without asking each of them: this is answered often."""
        return plain.sub_user(value)


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

    def written(self, value: Any) -> bytes:
        """Return what the fields would."""
        return plain.sub_users(value)


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

    def load(self, data: Any, **kwargs: Any) -> Any:
        """Return what the fields would, and ask them only about what is not plain."""
        found = plain.login(data)
        return super().load(data, **kwargs) if found is None else found


class OpenedSessionAnswer(Answer):
    """A session that was opened."""

    token = fields.String(required=True)
    expires_at = Time(required=True)
    account_id = fields.UUID(required=True)
    sub_user_id = fields.UUID(required=True)
    must_change_password = fields.Boolean(required=True)
    permissions = fields.List(fields.String(validate=validate.OneOf(list(Permission))), required=True)

    def written(self, value: Any) -> bytes:
        """Return what the fields would."""
        return plain.opened_session(value)


class Introspection(Request):
    """Whether a session is good, and for what."""

    token = fields.String(required=True, validate=validate.Length(1, plain.LONGEST_TOKEN))
    permission = fields.String(validate=validate.OneOf(list(Permission)), load_default=None)

    def load(self, data: Any, **kwargs: Any) -> Any:
        """Return what the fields would, and ask them only about what is not plain."""
        found = plain.introspection(data)
        return super().load(data, **kwargs) if found is None else found


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


class RecordedAnswer(Answer):
    """How many were recorded."""

    recorded = fields.Integer(required=True)

    @pre_dump
    def count(self, ids: list[UUID], **_: Any) -> dict[str, int]:
        """Tell of the ids of what was recorded only how many they are."""
        return {"recorded": len(ids)}


class UsageRow(Request):
    """What a sub-user used."""

    sub_user_id = fields.UUID(required=True)
    conversation_minutes = Minutes(most=MOST_MINUTES, attribute="conversation_ms")
    llm_tokens = Whole(validate=validate.Range(0, MOST_TOKENS))
    occurred_at = Time()

    @validates_schema
    def says_something(self, data: Any, **_: Any) -> None:
        """Refuse a report of neither: a name that was left out must not pass for nothing used."""
        if not {"conversation_ms", "llm_tokens"} & set(data):
            msg = "this or llm_tokens is needed"
            raise ValidationError(msg, "conversation_minutes")


class NewUsage(UsageRow):
    """What sub-users used: a list of reports, or one report as it is."""

    usage = fields.List(fields.Nested(UsageRow), validate=validate.Length(1, MOST_USAGE_REPORTS))
    sub_user_id = fields.UUID()

    @validates_schema
    def says_something(self, data: Any, **_: Any) -> None:
        """Refuse what is neither, or both."""
        if "usage" not in data and "sub_user_id" in data:
            super().says_something(data)
        elif set(data) != {"usage"}:
            msg = "this alone, or the fields of one report"
            raise ValidationError(msg, "usage")


class UsageQuery(Query):
    """Which days to count, and whom to list."""

    since = Day(load_default=None, allow_none=False, metadata={"description": "The first day, in UTC."})
    until = Day(load_default=None, allow_none=False, metadata={"description": "The day after the last one, in UTC."})
    visibility = fields.String(validate=validate.OneOf(VISIBILITIES), load_default="visible")


class UsedAnswer(Answer):
    """So much was used."""

    conversation_minutes = Minutes(required=True, attribute="conversation_ms")
    llm_tokens = fields.Integer(required=True)


class DayUsageAnswer(Answer):
    """What was used on one day."""

    day = Day(required=True)
    conversation_minutes = Minutes(required=True, attribute="used.conversation_ms")
    llm_tokens = fields.Integer(required=True, attribute="used.llm_tokens")


class SubUserUsageAnswer(Answer):
    """What a sub-user used."""

    sub_user_id = fields.UUID(required=True)
    name = fields.String(required=True)
    visible = fields.Boolean(required=True)
    conversation_minutes = Minutes(required=True, attribute="used.conversation_ms")
    llm_tokens = fields.Integer(required=True, attribute="used.llm_tokens")


class PlanStandingAnswer(Answer):
    """What a plan includes, and what has been used of it in the period that is running."""

    included_minutes = fields.Integer(required=True, attribute="plan.included_minutes")
    included_tokens = fields.Integer(required=True, attribute="plan.included_tokens")
    period_start = Day(required=True, attribute="plan.period_start")
    since = Day(required=True, attribute="period.first")
    until = Day(required=True, attribute="period.end")
    used_minutes = Minutes(required=True, attribute="used.conversation_ms")
    used_tokens = fields.Integer(required=True, attribute="used.llm_tokens")


class UsageAnswer(Answer):
    """What an account used in some days. Who is not listed, or was deleted since, counts in the totals all the same."""

    since = Day(required=True, attribute="first_day")
    until = Day(required=True, attribute="end")
    total = fields.Nested(UsedAnswer, required=True)
    days = fields.List(fields.Nested(DayUsageAnswer), required=True)
    sub_users = fields.List(fields.Nested(SubUserUsageAnswer), required=True)
    deleted = fields.Nested(UsedAnswer, required=True)
    plan = fields.Nested(PlanStandingAnswer, required=True, allow_none=True)


class NewPlan(Request):
    """What an account's plan includes each month."""

    included_minutes = Whole(required=True, validate=validate.Range(0, MOST_INCLUDED_MINUTES))
    included_tokens = Whole(required=True, validate=validate.Range(0, MOST_INCLUDED_TOKENS))
    period_start = Day(required=True, metadata={"description": "A day on which a period begins, in UTC."})


class PlanAnswer(Answer):
    """What an account's plan includes each month."""

    included_minutes = fields.Integer(required=True)
    included_tokens = fields.Integer(required=True)
    period_start = Day(required=True)


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


class EventTypes(DelimitedList):
    """Types of events, separated by commas."""

    def __init__(self) -> None:
        super().__init__(
            fields.String(validate=validate.OneOf(list(BY_TYPE), error="there is no such type")),
            validate=validate.Length(1, len(BY_TYPE)),
            metadata={"description": "These types alone, separated by commas. See `/asyncapi.json`."},
        )


class AccountEventsQuery(Query):
    """Which events of an account to read."""

    after = fields.Integer(
        load_default=0,
        validate=validate.Range(0, HIGHEST_POSITION),
        metadata={"description": "`next_after` of the page before; 0 begins at the beginning."},
    )
    limit = fields.Integer(load_default=USUAL_PAGE, validate=validate.Range(1, MOST_EVENTS))
    types = EventTypes()


class EventsQuery(AccountEventsQuery):
    """Which events to read, and how long to wait for the first."""

    wait = fields.Float(
        load_default=0,
        validate=validate.Range(0, LONGEST_EVENT_WAIT),
        metadata={"description": "Seconds to wait where there is nothing yet."},
    )


class EventStreamQuery(Query):
    """Which events to follow."""

    after = fields.Integer(load_default=0, validate=validate.Range(0, HIGHEST_POSITION))
    types = EventTypes()


class EventsAnswer(Answer):
    """Some events, and where to go on."""

    items = fields.List(
        fields.Dict(), required=True, metadata={"description": "CloudEvents: `/asyncapi.json` has the shape of each."}
    )
    next_cursor = fields.String(
        required=True, allow_none=True, metadata={"description": "`next_after`, where there is more already."}
    )
    next_after = fields.Integer(
        required=True, metadata={"description": "Where to go on, now or later: no event appears behind it."}
    )


class NewWebhookBody(Request):
    """A receiver of events."""

    url = Word(
        URL,
        required=True,
        validate=validate.Length(1, LONGEST_URL),
        metadata={"description": "https, on a host of the public Internet."},
    )
    account_id = fields.UUID(
        load_default=None,
        metadata={"description": "Whose events. Required with a portal key; not to be there with an analytics key."},
    )
    types = fields.List(
        fields.String(validate=validate.OneOf(list(BY_TYPE))),
        load_default=None,
        validate=validate.Length(1, len(BY_TYPE)),
        metadata={"description": "These types alone; all of them, also those yet to come, if it is not there."},
    )
    description = Text(longest=LONGEST_NAME, load_default=None, metadata={"description": "For people."})
    signature = fields.Enum(Signature, by_value=True, load_default=Signature.HMAC)
    after = Whole(
        load_default=None,
        validate=validate.Range(0, HIGHEST_POSITION),
        metadata={"description": "Begin after this position; with what happens from now on, if it is not there."},
    )


class WebhookAnswer(Answer):
    """A receiver of events, and how far it has come."""

    webhook_id = fields.UUID(required=True)
    account_id = fields.UUID(required=True, allow_none=True)
    url = fields.String(required=True)
    types = fields.List(fields.String(), required=True, allow_none=True)
    description = fields.String(required=True, allow_none=True)
    signature = fields.Enum(Signature, by_value=True, required=True)
    status = fields.String(required=True, validate=validate.OneOf(["active", "disabled"]))
    created_at = Time(required=True)
    position = fields.Integer(
        required=True, metadata={"description": "Of the last event that it has taken, or that it does not want."}
    )
    failures = fields.Integer(
        required=True, metadata={"description": "Failed attempts of the event that comes next, in a row."}
    )
    next_attempt_at = Time(required=True, allow_none=True)
    disabled_at = Time(required=True, allow_none=True)
    disabled_why = fields.Enum(Why, by_value=True, required=True, allow_none=True)


class WebhookKeyAnswer(Answer):
    """What a receiver verifies signatures with. It is shown this once."""

    webhook_id = fields.UUID(required=True)
    secret = fields.String(
        required=True, allow_none=True, metadata={"description": "`whsec_…`, with `hmac`: keep it secret."}
    )
    public_key = fields.String(required=True, allow_none=True, metadata={"description": "`whpk_…`, with `ed25519`."})


class CreatedWebhookAnswer(WebhookAnswer, WebhookKeyAnswer):
    """A new receiver of events, and what it verifies signatures with. That is shown this once."""


class WebhookListQuery(Paging):
    """Which webhooks to list."""

    account_id = fields.UUID(load_default=None, allow_none=False)


class WebhookListAnswer(Answer):
    """A page of webhooks."""

    items = fields.List(fields.Nested(WebhookAnswer), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class WebhookReplay(Request):
    """Where to go on."""

    after = Whole(required=True, validate=validate.Range(0, HIGHEST_POSITION))


class WebhookDeliveryRow(Answer):
    """One attempt to deliver an event."""

    event_id = fields.String(required=True)
    type = fields.String(required=True)
    position = fields.Integer(required=True)
    attempt = fields.Integer(required=True)
    attempted_at = Time(required=True)
    status = fields.Integer(required=True, allow_none=True, metadata={"description": "What the receiver answered."})
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Where there was no answer: why, in a word."}
    )
    milliseconds = fields.Integer(required=True)


class WebhookDeliveryListAnswer(Answer):
    """A page of a webhook's log, newest first."""

    items = fields.List(fields.Nested(WebhookDeliveryRow), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
