# Generated from ../_async/webhooks.py by tools/generate_sync.py. Do not edit.
"""Requests about webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from subusers_client._sync.pagination import pages
from subusers_client.decoding import decode, encode, id_text
from subusers_client.models import NewWebhook, TestEvent, Webhook, WebhookDelivery, WebhookKey
from subusers_client.requests import Request, not_none
from subusers_client.retries import Repeatable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from subusers_client._sync.transport import Transport

GONE = frozenset({"webhook-not-found"})


class Webhooks:
    """Webhooks. The service cannot change a webhook: delete it and create another."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        *,
        url: str,
        account_id: UUID | str | None = None,
        event_types: Sequence[str] | None = None,
        description: str | None = None,
        signature_algorithm: str | None = None,
        after: int | None = None,
    ) -> NewWebhook:
        """Create a webhook. Only this response has its `secret` or `public_key`.

        Not repeated after an unknown outcome. If the error has `may_have_succeeded`, delete the webhook that appears in
        the list, and create another.
        """
        body = not_none(
            url=url,
            account_id=None if account_id is None else id_text(account_id),
            event_types=None if event_types is None else tuple(event_types),
            description=description,
            signature_algorithm=signature_algorithm,
            after=after,
        )
        request = Request(method="POST", path="/v1/webhooks", body=encode(body), repeatable=Repeatable.UNLESS_EXECUTED)
        return decode(NewWebhook, (self._transport.send(request)).body)

    def list(self, *, account_id: UUID | str | None = None) -> Iterator[Webhook]:
        """Iterate over the webhooks, of one account or all that the API key may see."""
        request = Request(method="GET", path="/v1/webhooks", query={"limit": 200, "account_id": account_id})
        return pages(self._transport, Webhook, request)

    def get(self, *, webhook_id: UUID | str) -> Webhook:
        """Return a webhook and its progress."""
        request = Request(method="GET", path=path_of(webhook_id))
        return decode(Webhook, (self._transport.send(request)).body)

    def delete(self, *, webhook_id: UUID | str) -> None:
        """Delete a webhook and its delivery log permanently."""
        self._transport.send(Request(method="DELETE", path=path_of(webhook_id), done_if_repeated=GONE))

    def rotate_secret(self, *, webhook_id: UUID | str) -> WebhookKey:
        """Replace the signing key. For 24 hours, requests are signed with the new and the former key.

        Not repeated after an unknown outcome: each repetition would add a key.
        """
        request = Request(method="POST", path=f"{path_of(webhook_id)}/secrets", repeatable=Repeatable.UNLESS_EXECUTED)
        return decode(WebhookKey, (self._transport.send(request)).body)

    def replay(self, *, webhook_id: UUID | str, after: int) -> Webhook:
        """Continue after another position: an earlier one sends events again, a later one skips them."""
        request = Request(
            method="POST",
            path=f"{path_of(webhook_id)}/replay",
            body=encode({"after": after}),
            repeatable=Repeatable.UNLESS_EXECUTED,  # a repetition would send events once more
        )
        return decode(Webhook, (self._transport.send(request)).body)

    def send_test_event(self, *, webhook_id: UUID | str) -> TestEvent:
        """Send a test event to a webhook, and return the receiver's status."""
        request = Request(method="POST", path=f"{path_of(webhook_id)}/test")
        return decode(TestEvent, (self._transport.send(request)).body)

    def enable(self, *, webhook_id: UUID | str) -> Webhook:
        """Enable a disabled webhook."""
        request = Request(method="POST", path=f"{path_of(webhook_id)}/enable")
        return decode(Webhook, (self._transport.send(request)).body)

    def adopt(self, *, webhook_id: UUID | str) -> Webhook:
        """Assign a webhook to the API key of this client."""
        request = Request(method="POST", path=f"{path_of(webhook_id)}/adopt")
        return decode(Webhook, (self._transport.send(request)).body)

    def deliveries(self, *, webhook_id: UUID | str) -> Iterator[WebhookDelivery]:
        """Iterate over the delivery attempts, newest first."""
        request = Request(method="GET", path=f"{path_of(webhook_id)}/deliveries", query={"limit": 200})
        return pages(self._transport, WebhookDelivery, request)


def path_of(webhook_id: UUID | str) -> str:
    """Return the path of a webhook."""
    return f"/v1/webhooks/{id_text(webhook_id)}"
