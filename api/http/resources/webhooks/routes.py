"""Routes of webhooks. A portal key manages webhooks of single accounts, an analytics key those of all accounts."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import api_key, command_context, require_account, require_all_accounts, service
from api.http.problems import unprocessable
from api.http.resources.webhooks.schemas import (
    CreatedWebhookAnswer,
    NewWebhookBody,
    WebhookAnswer,
    WebhookDeliveryListAnswer,
    WebhookKeyAnswer,
    WebhookListAnswer,
    WebhookListQuery,
    WebhookReplay,
    WebhookTestAnswer,
)
from api.http.responses import json_response
from api.http.routing import LOCATION, RECORDED_POSITION, Routes
from api.http.schemas import Paging
from application.commands.api_keys import Scope
from application.commands.webhooks import NewWebhook, SignatureAlgorithm
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from application.command_context import CommandContext
    from application.commands.webhooks import Webhook

routes = Routes("webhooks", "Delivery of events to your own endpoints")
COLLECTION_PATH = "/v1/webhooks"
ITEM_PATH = f"{COLLECTION_PATH}/<uuid:webhook_id>"
WEBHOOK, CREATED, KEY = WebhookAnswer(), CreatedWebhookAnswer(), WebhookKeyAnswer()
WEBHOOK_LIST, DELIVERY_LIST, TEST = WebhookListAnswer(), WebhookDeliveryListAnswer(), WebhookTestAnswer()
NOT_FOUND = (HTTPStatus.NOT_FOUND,)


@routes.route(
    "POST",
    COLLECTION_PATH,
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    body=NewWebhookBody,
    response=(201, CreatedWebhookAnswer),
    response_headers=(LOCATION, RECORDED_POSITION),
)
def create_webhook(body: dict[str, Any]) -> Response:
    """Create a webhook, which delivers events to a URL.

    With a portal key it delivers the events of one account, and `account_id` is required. With an analytics key it
    delivers the events of all accounts, and `account_id` is not allowed. The response has the key with which the
    receiver verifies signatures. No other response contains it.
    """
    if _manages_all_accounts() and body["account_id"] is not None:
        reason = "must not be sent with an analytics key: its webhooks deliver the events of all accounts"
        raise unprocessable({"account_id": [reason]})
    if not _manages_all_accounts() and body["account_id"] is None:
        raise unprocessable({"account_id": ["Missing data for required field."]})
    _require_accounts_of(body["account_id"])
    outcome = service().commands.webhooks.create(
        NewWebhook(**body, api_key_id=api_key().api_key_id), _command_context()
    )
    webhook, verification_key = outcome.value
    headers = {"Location": f"{COLLECTION_PATH}/{webhook.webhook_id}"}
    webhook_fields = {**vars(webhook), "status": webhook.status, "next_attempt_at": webhook.next_attempt_at}
    response_fields = {**webhook_fields, **_key_fields(webhook.signature_algorithm, verification_key)}
    return json_response(
        CREATED.to_json(response_fields), HTTPStatus.CREATED, position=outcome.position, headers=headers
    )


@routes.route(
    "GET", COLLECTION_PATH, Scope.PORTAL, Scope.ANALYTICS, query=WebhookListQuery, response=(200, WebhookListAnswer)
)
def list_webhooks(query: dict[str, Any]) -> Response:
    """List webhooks, oldest first.

    A portal key lists webhooks of single accounts, an analytics key those of all accounts.
    """
    _require_accounts_of(query["account_id"])
    webhooks, next_cursor = service().commands.webhooks.page(all_accounts=_manages_all_accounts(), **query)
    return json_response(WEBHOOK_LIST.to_json({"items": webhooks, "next_cursor": next_cursor}))


@routes.route("GET", ITEM_PATH, Scope.PORTAL, Scope.ANALYTICS, problems=NOT_FOUND, response=(200, WebhookAnswer))
def get_webhook(webhook_id: UUID) -> Response:
    """Get a webhook and its progress."""
    return json_response(WEBHOOK.to_json(_accessible_webhook(webhook_id)))


@routes.route(
    "DELETE",
    ITEM_PATH,
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=NOT_FOUND,
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def delete_webhook(webhook_id: UUID) -> Response:
    """Delete a webhook and its delivery log permanently."""
    _accessible_webhook(webhook_id)
    outcome = service().commands.webhooks.delete(webhook_id, _command_context(), all_accounts=_manages_all_accounts())
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.route(
    "POST",
    f"{ITEM_PATH}/secrets",
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=NOT_FOUND,
    response=(201, WebhookKeyAnswer),
    response_headers=(RECORDED_POSITION,),
)
def create_webhook_secret(webhook_id: UUID) -> Response:
    """Replace the signing key of a webhook.

    For 24 hours every delivery is also signed with the previous key, so that the receiver can switch to the new one.
    The response has the key with which the receiver verifies signatures. No other response contains it.
    """
    _accessible_webhook(webhook_id)
    outcome = service().commands.webhooks.add_secret(
        webhook_id, _command_context(), all_accounts=_manages_all_accounts()
    )
    webhook, verification_key = outcome.value
    response_fields = {"webhook_id": webhook_id, **_key_fields(webhook.signature_algorithm, verification_key)}
    return json_response(KEY.to_json(response_fields), HTTPStatus.CREATED, position=outcome.position)


@routes.route(
    "POST",
    f"{ITEM_PATH}/replay",
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=NOT_FOUND,
    body=WebhookReplay,
    response=(200, WebhookAnswer),
    response_headers=(RECORDED_POSITION,),
)
def replay_webhook(body: dict[str, Any], webhook_id: UUID) -> Response:
    """Continue the deliveries of a webhook after another position.

    An earlier position delivers events again, with the same ids. A later position skips the events before it. A
    disabled webhook is enabled, and belongs to the calling API key from then on.
    """
    _accessible_webhook(webhook_id)
    key_id = api_key().api_key_id
    outcome = service().commands.webhooks.replay(
        webhook_id, body["after"], _command_context(), all_accounts=_manages_all_accounts(), api_key_id=key_id
    )
    return json_response(WEBHOOK.to_json(outcome.value), position=outcome.position)


@routes.route(
    "POST",
    f"{ITEM_PATH}/enable",
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=NOT_FOUND,
    response=(200, WebhookAnswer),
    response_headers=(RECORDED_POSITION,),
)
def enable_webhook(webhook_id: UUID) -> Response:
    """Enable a disabled webhook.

    It continues where it stopped, without skipping events, and belongs to the calling API key from then on. If the
    webhook is active and waits for a retry, the retry is made at once.
    """
    _accessible_webhook(webhook_id)
    key_id = api_key().api_key_id
    outcome = service().commands.webhooks.enable(
        webhook_id, _command_context(), all_accounts=_manages_all_accounts(), api_key_id=key_id
    )
    return json_response(WEBHOOK.to_json(outcome.value), position=outcome.position)


@routes.route(
    "POST",
    f"{ITEM_PATH}/adopt",
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=NOT_FOUND,
    response=(200, WebhookAnswer),
    response_headers=(RECORDED_POSITION,),
)
def adopt_webhook(webhook_id: UUID) -> Response:
    """Assign a webhook to the calling API key.

    A webhook is disabled when its API key is revoked or expires. To replace the key, adopt the webhook with the new key
    before that.
    """
    _accessible_webhook(webhook_id)
    outcome = service().commands.webhooks.adopt(
        webhook_id, api_key().api_key_id, _command_context(), all_accounts=_manages_all_accounts()
    )
    return json_response(WEBHOOK.to_json(outcome.value), position=outcome.position)


@routes.route(
    "POST",
    f"{ITEM_PATH}/test",
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=NOT_FOUND,
    response=(200, WebhookTestAnswer),
)
def send_test_event(webhook_id: UUID) -> Response:
    """Send a test event to a webhook, and wait up to 5 seconds for the receiver's response.

    The event has the type `subusers.webhook.test.v1` and no position. It is signed like every other, but it is neither
    repeated nor in the delivery log. A disabled webhook gets it, too.
    """
    webhook = _accessible_webhook(webhook_id)
    return json_response(TEST.to_json(service().workers.webhook_deliveries.send_test(webhook, service().source)))


@routes.route(
    "GET",
    f"{ITEM_PATH}/deliveries",
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=NOT_FOUND,
    query=Paging,
    response=(200, WebhookDeliveryListAnswer),
)
def list_webhook_deliveries(query: dict[str, Any], webhook_id: UUID) -> Response:
    """List the delivery attempts of a webhook, newest first.

    The log keeps the newest 1,000 attempts, for 30 days.
    """
    _accessible_webhook(webhook_id)
    deliveries, next_cursor = service().commands.webhooks.deliveries(
        webhook_id, all_accounts=_manages_all_accounts(), **query
    )
    return json_response(DELIVERY_LIST.to_json({"items": deliveries, "next_cursor": next_cursor}))


def _accessible_webhook(webhook_id: UUID) -> Webhook:
    """Return a webhook that the API key may access."""
    webhook = service().commands.webhooks.get(webhook_id, all_accounts=_manages_all_accounts())
    _require_accounts_of(webhook.account_id)
    return webhook


def _require_accounts_of(account_id: UUID | None) -> None:
    """Raise a problem if the limits of the key exclude the account of webhooks. None means webhooks of all accounts."""
    if account_id is None:
        require_all_accounts()
    else:
        require_account(account_id)


def _manages_all_accounts() -> bool:
    """Return whether the API key manages webhooks of all accounts."""
    return api_key().scope is Scope.ANALYTICS


def _command_context() -> CommandContext:
    """Return the context of this request. An analytics key acts for no account, so its actor is the system."""
    context = command_context()
    if not _manages_all_accounts():
        return context
    return replace(context, actor_type=ActorType.SYSTEM, actor_id=str(api_key().api_key_id))


def _key_fields(algorithm: SignatureAlgorithm, verification_key: str) -> dict[str, str | None]:
    is_secret = algorithm is SignatureAlgorithm.HMAC
    return {"secret": verification_key if is_secret else None, "public_key": None if is_secret else verification_key}
