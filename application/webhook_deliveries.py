"""Sending events to webhooks: one at a time to each, in order, each until it has been taken."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from application.errors import ServiceError
from application.webhooks import Delivery, Why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from application.ports import Clock
    from application.webhooks import Signatures, Webhook, Webhooks

DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""After each failed attempt: the schedule that the Standard Webhooks specification gives, over 75 hours."""

LONGEST_DELAY = timedelta(hours=24)
JITTER = 0.1
"""Up to this part of a delay is added to it, so that receivers that failed together are not tried together."""

CLAIMED_FOR = timedelta(seconds=60)
"""Longer than one attempt may take, and short enough for another worker to take over from one that died."""

AT_A_TIME = 100
TURN_SECONDS = 10.0
"""After so long another webhook has its turn."""

CALM_DOWN = timedelta(seconds=1)
GONE = 410
MAY_ASK_FOR_TIME = frozenset({429, 503})


@dataclass(frozen=True)
class Claim:
    """A webhook that nobody else sends anything to meanwhile, and what it is signed with now."""

    claim_id: UUID
    webhook: Webhook
    secrets: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True)
class Receipt:
    """What came of a request: a status, or without one what went wrong, in a word of ours."""

    status: int | None = None
    error: str | None = None
    retry_after: timedelta | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the receiver has the event."""
        return self.status is not None and 200 <= self.status < 300


class Page(Protocol):
    """Some events in their envelopes, and the position up to which there are no others that are wanted."""

    @property
    def items(self) -> Sequence[dict[str, Any]]:
        """The events."""

    @property
    def position(self) -> int:
        """Where to go on."""


class DeliveryQueue(Protocol):
    """Hands out webhooks for which there is something to do. What it takes it takes of whoever holds the claim."""

    def claim(self, now: datetime, until: datetime) -> Claim | None:
        """Return a webhook to which something may have to be sent, and keep others off it until then."""

    def delivered(self, claim: Claim, delivery: Delivery, until: datetime) -> bool:
        """Note that an event was taken, and go on holding the claim; return False where it is lost."""

    def failed(self, claim: Claim, delivery: Delivery, due_at: datetime) -> bool:
        """Note that an event was not taken, and let go until it is due again; return False where the claim is lost."""

    def let_go(self, claim: Claim, due_at: datetime, position: int | None = None) -> None:
        """Let others have the webhook; `position` is how far there is nothing that it wants."""


class Sender(Protocol):
    """Sends a request."""

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Post a body to a URL, within seconds."""


class WebhookDeliveries:
    """Delivers. `feed` reads the events that a webhook wants after a position, so many at most."""

    def __init__(
        self,
        webhooks: Webhooks,
        queue: DeliveryQueue,
        feed: Callable[[Webhook, int], Page],
        signatures: Signatures,
        sender: Sender,
        clock: Clock,
    ) -> None:
        self._webhooks = webhooks
        self._queue = queue
        self._feed = feed
        self._signatures = signatures
        self._sender = sender
        self._clock = clock

    def deliver_next(self, is_over: Callable[[], bool] = lambda: False) -> bool:
        """Give one webhook its turn; return False if there is nothing to send to any."""
        now = self._clock()
        claim = self._queue.claim(now, now + CLAIMED_FOR)
        if claim is None:
            return False
        try:
            page = self._feed(claim.webhook, AT_A_TIME)
        except ServiceError:
            self._queue.let_go(claim, self._clock() + CALM_DOWN)
            raise
        turn_ends = time.monotonic() + TURN_SECONDS
        attempt = claim.webhook.failures + 1
        for event in page.items:
            if is_over() or time.monotonic() > turn_ends:
                self._queue.let_go(claim, self._clock())
                return True
            if not self._deliver(claim, event, attempt):
                return True
            attempt = 1
        is_further = page.position > claim.webhook.position  # else what there is has yet to settle
        self._queue.let_go(claim, self._clock() + (timedelta() if is_further else CALM_DOWN), page.position)
        return True

    def _deliver(self, claim: Claim, event: dict[str, Any], attempt: int) -> bool:
        """Attempt one event; return False where this turn is over."""
        at, started = self._clock(), time.monotonic()
        body = json.dumps(event, separators=(",", ":"))
        signature = self._signatures.sign(claim.webhook.signature, claim.secrets, event["id"], at, body)
        headers = {
            "Content-Type": "application/cloudevents+json",
            "webhook-id": event["id"],
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }
        receipt = self._sender.send(claim.webhook.url, headers, body.encode())
        delivery = Delivery(
            event_id=event["id"],
            type=event["type"],
            position=event["position"],
            attempt=attempt,
            attempted_at=at,
            status=receipt.status,
            error=receipt.error,
            milliseconds=round((time.monotonic() - started) * 1000),
        )
        if receipt.succeeded:
            return self._queue.delivered(claim, delivery, self._clock() + CLAIMED_FOR)
        self._fail(claim, delivery, receipt)
        return False

    def _fail(self, claim: Claim, delivery: Delivery, receipt: Receipt) -> None:
        """Have the event tried again later, or nothing more sent where there is no sense in that."""
        is_gone, is_last = receipt.status == GONE, delivery.attempt > len(DELAYS)
        due_at = self._clock() + delay_after(delivery.attempt, receipt)
        if self._queue.failed(claim, delivery, due_at) and (is_gone or is_last):
            self._webhooks.disable(claim.webhook.webhook_id, Why.GONE if is_gone else Why.FAILING)


def delay_after(attempt: int, receipt: Receipt) -> timedelta:
    """Return how long to wait after so many failed attempts: as scheduled, or longer where the receiver asks for it."""
    scheduled = DELAYS[min(attempt, len(DELAYS)) - 1]
    delay = scheduled * (1 + random.uniform(0, JITTER))  # noqa: S311  # spreads requests, no secret
    if receipt.status in MAY_ASK_FOR_TIME and receipt.retry_after is not None:
        return max(delay, min(receipt.retry_after, LONGEST_DELAY))
    return delay
