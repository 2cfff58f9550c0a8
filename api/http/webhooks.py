"""Webhooks: receivers whom events are sent to. A portal key sees those of accounts, an analytics key those of all."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.answers import answer
from api.http.doors import api_key, origin, service
from api.http.problems import unprocessable
from api.http.routes import LOCATION, POSITION, Routes
from api.http.schemas import (
    CreatedWebhookAnswer,
    NewWebhookBody,
    Paging,
    WebhookAnswer,
    WebhookDeliveryListAnswer,
    WebhookKeyAnswer,
    WebhookListAnswer,
    WebhookListQuery,
    WebhookReplay,
)
from application.api_keys import Scope
from application.webhooks import NewWebhook, Signature
from domain.cause import ActorType

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from application.origin import Origin

routes = Routes("webhooks", "Events, sent to receivers")
ALL = "/v1/webhooks"
ONE = f"{ALL}/<uuid:webhook_id>"
WEBHOOK, CREATED, KEY = WebhookAnswer(), CreatedWebhookAnswer(), WebhookKeyAnswer()
WEBHOOK_LIST, DELIVERY_LIST = WebhookListAnswer(), WebhookDeliveryListAnswer()
NOT_FOUND = (HTTPStatus.NOT_FOUND,)


@routes.door(
    "POST",
    ALL,
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    body=NewWebhookBody,
    gives=(201, CreatedWebhookAnswer),
    tells=(LOCATION, POSITION),
)
def create_webhook(body: dict[str, Any]) -> Response:
    """Have events sent to a receiver.

    With a portal key those of one account: `account_id` is required. With an analytics key those of all: there is none.
    The answer has what the receiver verifies signatures with, and no other answer ever has it again.
    """
    if _of_all() == (body["account_id"] is not None):
        reason = "webhooks of an analytics key are of all accounts" if _of_all() else "Missing data for required field."
        raise unprocessable({"account_id": [reason]})
    outcome = service().webhooks.create(NewWebhook(**body), _by())
    webhook, shown = outcome.value
    headers = {"Location": f"{ALL}/{webhook.webhook_id}"}
    own = {**vars(webhook), "status": webhook.status, "next_attempt_at": webhook.next_attempt_at}
    told = {**own, **_key(webhook.signature, shown)}
    return answer(CREATED.written(told), HTTPStatus.CREATED, position=outcome.position, headers=headers)


@routes.door("GET", ALL, Scope.PORTAL, Scope.ANALYTICS, query=WebhookListQuery, gives=(200, WebhookListAnswer))
def list_webhooks(query: dict[str, Any]) -> Response:
    """List webhooks, oldest first.

    With a portal key those of accounts, with an analytics key those of all accounts.
    """
    rows, cursor = service().webhooks.page(of_all=_of_all(), **query)
    return answer(WEBHOOK_LIST.written({"items": rows, "next_cursor": cursor}))


@routes.door("GET", ONE, Scope.PORTAL, Scope.ANALYTICS, problems=NOT_FOUND, gives=(200, WebhookAnswer))
def show_webhook(webhook_id: UUID) -> Response:
    """Show a webhook, and how far it has come."""
    return answer(WEBHOOK.written(service().webhooks.show(webhook_id, of_all=_of_all())))


@routes.door("DELETE", ONE, Scope.PORTAL, Scope.ANALYTICS, problems=NOT_FOUND, gives=(204, None), tells=(POSITION,))
def delete_webhook(webhook_id: UUID) -> Response:
    """Delete a webhook for good, with its log."""
    outcome = service().webhooks.delete(webhook_id, _by(), of_all=_of_all())
    return answer(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.door("POST", f"{ONE}/secrets", Scope.PORTAL, Scope.ANALYTICS, problems=NOT_FOUND, gives=(201, WebhookKeyAnswer))
def add_webhook_secret(webhook_id: UUID) -> Response:
    """Replace what a webhook is signed with.

    For 24 hours every request is signed with the former one as well, so that its receiver can change over. The answer
    has what the receiver verifies with, and no other answer ever has it again.
    """
    webhook, shown = service().webhooks.add_secret(webhook_id, of_all=_of_all())
    told = {"webhook_id": webhook_id, **_key(webhook.signature, shown)}
    return answer(KEY.written(told), HTTPStatus.CREATED)


@routes.door(
    "POST",
    f"{ONE}/replay",
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=NOT_FOUND,
    body=WebhookReplay,
    gives=(200, WebhookAnswer),
    tells=(POSITION,),
)
def replay_webhook(body: dict[str, Any], webhook_id: UUID) -> Response:
    """Have a webhook go on after another position.

    An earlier one sends again what was sent, with the same ids; a later one leaves out what is between. A webhook that
    was disabled is enabled.
    """
    outcome = service().webhooks.replay(webhook_id, body["after"], _by(), of_all=_of_all())
    return answer(WEBHOOK.written(outcome.value), position=outcome.position)


@routes.door(
    "POST",
    f"{ONE}/enable",
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=NOT_FOUND,
    gives=(200, WebhookAnswer),
    tells=(POSITION,),
)
def enable_webhook(webhook_id: UUID) -> Response:
    """Enable a webhook that was disabled.

    It goes on where it stopped: nothing is left out. One that waits for another attempt is tried at once.
    """
    outcome = service().webhooks.enable(webhook_id, _by(), of_all=_of_all())
    return answer(WEBHOOK.written(outcome.value), position=outcome.position)


@routes.door(
    "GET",
    f"{ONE}/deliveries",
    Scope.PORTAL,
    Scope.ANALYTICS,
    problems=NOT_FOUND,
    query=Paging,
    gives=(200, WebhookDeliveryListAnswer),
)
def list_webhook_deliveries(query: dict[str, Any], webhook_id: UUID) -> Response:
    """List what became of each attempt, newest first.

    The newest 1,000, for 30 days.
    """
    rows, cursor = service().webhooks.deliveries(webhook_id, of_all=_of_all(), **query)
    return answer(DELIVERY_LIST.written({"items": rows, "next_cursor": cursor}))


def _of_all() -> bool:
    """Say whether this key is one for what concerns all accounts, and not any of them."""
    return api_key().scope is Scope.ANALYTICS


def _by() -> Origin:
    """Return where this request comes from: analytics act for no account, so that theirs is a part of the service."""
    by = origin()
    return replace(by, actor_type=ActorType.SYSTEM, actor_id=str(api_key().api_key_id)) if _of_all() else by


def _key(signature: Signature, shown: str) -> dict[str, str | None]:
    is_secret = signature is Signature.HMAC
    return {"secret": shown if is_secret else None, "public_key": None if is_secret else shown}
