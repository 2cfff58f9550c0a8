"""Schemas of webhooks."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.fields.event_types import EventType
from api.http.fields.numbers import Id, StrictInteger
from api.http.fields.texts import MachineName, Text
from api.http.fields.times import Time
from api.http.response_bodies import ResponseBody
from api.http.schemas import MAX_NAME_LENGTH, Paging, Request
from api.strict_parsing import MAX_POSITION
from application.commands.webhooks import DisableReason, SignatureAlgorithm
from application.webhook_url_policy import MAX_URL_LENGTH, URL_PATTERN
from projections.feed.event_catalog import BY_TYPE


class NewWebhookBody(Request):
    """A webhook to create."""

    url = MachineName(
        URL_PATTERN,
        required=True,
        validate=validate.Length(1, MAX_URL_LENGTH),
        metadata={"description": "An https URL on a host of the public Internet."},
    )
    account_id = Id(
        load_default=None,
        metadata={"description": "Account whose events to send. Required with a portal key, else not allowed."},
    )
    event_types = fields.List(
        EventType(),
        load_default=None,
        validate=validate.Length(1, len(BY_TYPE)),
        metadata={"description": "Types of the events to send. Default: all types, including future ones."},
    )
    description = Text(max_length=MAX_NAME_LENGTH, load_default=None, metadata={"description": "A note for people."})
    signature_algorithm = fields.Enum(SignatureAlgorithm, by_value=True, load_default=SignatureAlgorithm.HMAC)
    after = StrictInteger(
        load_default=None,
        validate=validate.Range(0, MAX_POSITION),
        metadata={
            "description": "Position after which delivery begins; 0 sends the whole history. Default: only new events."
        },
    )


class WebhookAnswer(ResponseBody):
    """A webhook and its progress."""

    webhook_id = fields.UUID(required=True)
    account_id = fields.UUID(required=True, allow_none=True)
    api_key_id = fields.UUID(
        required=True,
        allow_none=True,
        metadata={
            "description": "API key to which the webhook belongs; null for webhooks created before "
            "webhooks belonged to keys."
        },
    )
    url = fields.String(required=True)
    event_types = fields.List(fields.String(), required=True, allow_none=True)
    description = fields.String(required=True, allow_none=True)
    signature_algorithm = fields.Enum(SignatureAlgorithm, by_value=True, required=True)
    status = fields.String(required=True, validate=validate.OneOf(["active", "disabled"]))
    created_at = Time(required=True)
    position = fields.Integer(
        required=True, metadata={"description": "Position of the last event that was delivered or filtered out."}
    )
    failures = fields.Integer(
        required=True, metadata={"description": "Consecutive failed attempts to deliver the next event."}
    )
    next_attempt_at = Time(required=True, allow_none=True)
    disabled_at = Time(required=True, allow_none=True)
    disabled_reason = fields.Enum(DisableReason, by_value=True, required=True, allow_none=True)


class WebhookKeyAnswer(ResponseBody):
    """The key with which a receiver verifies signatures. No other response contains it."""

    webhook_id = fields.UUID(required=True)
    secret = fields.String(
        required=True, allow_none=True, metadata={"description": "`whsec_…`, with `hmac` signatures. Keep it secret."}
    )
    public_key = fields.String(
        required=True, allow_none=True, metadata={"description": "`whpk_…`, with `ed25519` signatures."}
    )


class CreatedWebhookAnswer(WebhookAnswer, WebhookKeyAnswer):
    """A new webhook, and the key with which its receiver verifies signatures. No other response contains the key."""


class WebhookListQuery(Paging):
    """Filter of the list of webhooks."""

    account_id = Id(load_default=None, allow_none=False)


class WebhookListAnswer(ResponseBody):
    """A page of webhooks."""

    items = fields.List(fields.Nested(WebhookAnswer), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class WebhookReplay(Request):
    """The position after which a webhook continues."""

    after = StrictInteger(required=True, validate=validate.Range(0, MAX_POSITION))


class WebhookDeliveryRow(ResponseBody):
    """An attempt to deliver an event."""

    event_id = fields.String(required=True)
    type = fields.String(required=True)
    position = fields.Integer(required=True)
    attempt = fields.Integer(required=True)
    attempted_at = Time(required=True)
    status = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "HTTP status of the receiver's response, null if there was none."},
    )
    reason = fields.String(
        required=True,
        allow_none=True,
        attribute="error",
        metadata={"description": "Why there was no response, as a code such as `timed-out`; else null."},
    )
    milliseconds = fields.Integer(required=True)


class WebhookTestAnswer(ResponseBody):
    """The result of a test event."""

    event_id = fields.String(required=True)
    sent_at = Time(required=True)
    succeeded = fields.Boolean(required=True, metadata={"description": "Whether the receiver accepted the event."})
    status = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "HTTP status of the receiver's response, null if there was none."},
    )
    reason = fields.String(
        required=True,
        allow_none=True,
        attribute="error",
        metadata={"description": "Why there was no response, as in the delivery log."},
    )
    milliseconds = fields.Integer(required=True)


class WebhookDeliveryListAnswer(ResponseBody):
    """A page of a webhook's delivery log, newest first."""

    items = fields.List(fields.Nested(WebhookDeliveryRow), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
