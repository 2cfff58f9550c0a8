"""Delivery of events to webhooks: in order, one at a time for each webhook, with retries."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from application.commands.webhooks import Delivery, DisableReason
from application.errors import ServiceError, TooBusy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from application.commands.webhooks import Signatures, Webhook, WebhookDisabling
    from application.ports.clock import Clock

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
"""Delay after each failed attempt: the schedule of the Standard Webhooks specification, over 75 hours."""

MAX_RETRY_AFTER = timedelta(hours=24)
"""Longest delay that a receiver can request."""

JITTER = 0.1
"""Maximum random extension of a delay, as a fraction of it. It spreads retries of receivers that failed together."""

CLAIM_DURATION = timedelta(seconds=60)
"""Duration of a claim: longer than any attempt, and short enough for another worker to take over from a dead one."""

PAGE_SIZE = 100
"""Events for one webhook before another is served."""

BATCH_SECONDS = 10.0
"""Time for one webhook before another is served."""

IDLE_DELAY = timedelta(seconds=1)
"""Delay before the next look at a webhook whose feed is unavailable, or whose next events have not settled."""

TEST_EVENT_TYPE = "subusers.webhook.test.v1"
TEST_TIMEOUT_SECONDS = 5.0
"""Shorter than the deadline of a request to this service, which waits for the receiver."""

MAX_CONCURRENT_TESTS = 2
"""Test events of a process at a time. They wait for receivers in threads that other commands need."""

GONE = 410
RETRY_AFTER_STATUSES = frozenset({429, 503})


@dataclass(frozen=True)
class Claim:
    """Exclusive claim to deliver to a webhook, with the current signing secrets."""

    claim_id: UUID
    webhook: Webhook
    secrets: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True)
class DeliveryResult:
    """Result of a request: the status of the response, or without one an error code of this service."""

    status: int | None = None
    error: str | None = None
    retry_after: timedelta | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the receiver accepted the event."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class TestDelivery:
    """Result of a test event: the status of the response, or an error, and how long the request took."""

    __test__ = False  # no test class for pytest

    event_id: str
    sent_at: datetime
    status: int | None
    error: str | None
    milliseconds: int
    succeeded: bool


class Page(Protocol):
    """Page of the feed: events in their envelopes, and the position up to which it is complete."""

    @property
    def items(self) -> Sequence[dict[str, Any]]:
        """The events of the page."""

    @property
    def position(self) -> int:
        """The position after which the next page starts."""


class DeliveryQueue(Protocol):
    """Queue of webhooks with pending events. Only the holder of a claim can report on its webhook."""

    def claim(self, now: datetime, until: datetime, *, include_slow: bool = True) -> Claim | None:
        """Claim a webhook that may have pending events until a time. Return None if there is none."""

    def may_send(self, claim: Claim, now: datetime) -> bool:
        """Return whether the claim is still held and the webhook's API key still active."""

    def record_delivered(self, claim: Claim, delivery: Delivery, until: datetime) -> bool:
        """Record a successful delivery, and extend the claim. Return False if the claim is lost."""

    def record_failed(self, claim: Claim, delivery: Delivery, due_at: datetime) -> bool:
        """Record a failed delivery, and release the claim until the retry. Return False if the claim is lost."""

    def secrets(self, webhook_id: UUID, now: datetime) -> Sequence[bytes]:
        """Return the valid signing secrets of a webhook, newest first."""

    def release(self, claim: Claim, due_at: datetime, position: int | None = None) -> None:
        """Release the claim. `position` is the position up to which no event is pending."""


class Sender(Protocol):
    """Sends requests to receivers."""

    def send(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float | None = None
    ) -> DeliveryResult:
        """Post a body to a URL, and return the result within the time limit, which is the sender's by default."""


class WebhookDeliveries:
    """Worker that delivers events. `feed(webhook, limit)` returns a page of the webhook's pending events."""

    def __init__(
        self,
        disabling: WebhookDisabling,
        queue: DeliveryQueue,
        feed: Callable[[Webhook, int], Page],
        signatures: Signatures,
        sender: Sender,
        clock: Clock,
    ) -> None:
        self._disabling = disabling
        self._queue = queue
        self._feed = feed
        self._signatures = signatures
        self._sender = sender
        self._clock = clock
        self._test_slots = threading.BoundedSemaphore(MAX_CONCURRENT_TESTS)

    def deliver_next(self) -> bool:
        """Deliver pending events of one webhook. Return False if there is no webhook to claim."""
        claim = self.claim()
        if claim is None:
            return False
        self.deliver(claim)
        return True

    def claim(self, *, include_slow: bool = True) -> Claim | None:
        """Claim a webhook that may have pending events. `include_slow` includes slow webhooks."""
        now = self._clock()
        return self._queue.claim(now, now + CLAIM_DURATION, include_slow=include_slow)

    def deliver(self, claim: Claim, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Deliver pending events to a claimed webhook until one fails, `BATCH_SECONDS` are over or `should_stop()`."""
        try:
            page = self._feed(claim.webhook, PAGE_SIZE)
        except ServiceError:
            self._queue.release(claim, self._clock() + IDLE_DELAY)
            raise
        batch_end = time.monotonic() + BATCH_SECONDS
        attempt = claim.webhook.failures + 1
        for event in page.items:
            if should_stop() or time.monotonic() > batch_end:
                self._queue.release(claim, self._clock())
                return
            if not self._deliver(claim, event, attempt):
                return
            attempt = 1
        made_progress = page.position > claim.webhook.position  # else the next events have not settled yet
        self._queue.release(claim, self._clock() + (timedelta() if made_progress else IDLE_DELAY), page.position)

    def _deliver(self, claim: Claim, event: dict[str, Any], attempt: int) -> bool:
        """Attempt to deliver one event. Return False if the claim is released or lost."""
        at, started = self._clock(), time.monotonic()
        if not self._queue.may_send(claim, at):
            self._queue.release(claim, at)
            return False
        result = self._send(claim.webhook, claim.secrets, event, at)
        delivery = Delivery(
            event_id=event["id"],
            type=event["type"],
            position=event["position"],
            attempt=attempt,
            attempted_at=at,
            status=result.status,
            error=result.error,
            milliseconds=round((time.monotonic() - started) * 1000),
        )
        if result.succeeded:
            return self._queue.record_delivered(claim, delivery, self._clock() + CLAIM_DURATION)
        self._fail(claim, delivery, result)
        return False

    def send_test(self, webhook: Webhook, source: str) -> TestDelivery:
        """Send a test event to a webhook at once, also to a disabled one. Nothing is recorded.

        Raises `TooBusy` if several test events of this process are on their way.
        """
        if not self._test_slots.acquire(blocking=False):
            raise TooBusy
        try:
            at, started, event_id = self._clock(), time.monotonic(), f"test:{uuid4()}"
            event = {
                "specversion": "1.0",
                "id": event_id,
                "type": TEST_EVENT_TYPE,
                "source": source,
                "time": at.isoformat().replace("+00:00", "Z"),
                "datacontenttype": "application/json",
                "data": {"webhook_id": str(webhook.webhook_id)},
            }
            secrets = self._queue.secrets(webhook.webhook_id, at)
            result = self._send(webhook, secrets, event, at, TEST_TIMEOUT_SECONDS)
        finally:
            self._test_slots.release()
        milliseconds = round((time.monotonic() - started) * 1000)
        return TestDelivery(event_id, at, result.status, result.error, milliseconds, result.succeeded)

    def _send(
        self,
        webhook: Webhook,
        secrets: Sequence[bytes],
        event: Mapping[str, Any],
        at: datetime,
        timeout_seconds: float | None = None,
    ) -> DeliveryResult:
        body = json.dumps(event, separators=(",", ":"))
        headers = {
            "Content-Type": "application/cloudevents+json",
            "webhook-id": event["id"],
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signatures.signature_header(
                webhook.signature_algorithm, secrets, event["id"], at, body
            ),
        }
        return self._sender.send(webhook.url, headers, body.encode(), timeout_seconds)

    def _fail(self, claim: Claim, delivery: Delivery, result: DeliveryResult) -> None:
        """Schedule a retry, or disable the webhook if it is gone or this was the last attempt."""
        is_gone, is_last = result.status == GONE, delivery.attempt > len(DELAYS)
        due_at = self._clock() + delay_after(delivery.attempt, result)
        if self._queue.record_failed(claim, delivery, due_at) and (is_gone or is_last):
            self._disabling.disable(claim.webhook.webhook_id, DisableReason.GONE if is_gone else DisableReason.FAILING)


def delay_after(attempt: int, result: DeliveryResult) -> timedelta:
    """Return the delay after a failed attempt: as scheduled, or longer if the receiver requests it."""
    scheduled = DELAYS[min(attempt, len(DELAYS)) - 1]
    delay = scheduled * (1 + random.uniform(0, JITTER))  # noqa: S311  # spreads requests; not a secret
    if result.status in RETRY_AFTER_STATUSES and result.retry_after is not None:
        return max(delay, min(result.retry_after, MAX_RETRY_AFTER))
    return delay
