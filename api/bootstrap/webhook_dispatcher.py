"""Concurrent webhook deliveries, so that receivers that hang do not delay others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from application.errors import ServiceError

if TYPE_CHECKING:
    from application.workers.webhook_deliveries import Claim, WebhookDeliveries

MAX_DELIVERIES = 64
"""Maximum number of concurrent deliveries of a process. Each is a thread that mostly waits for a receiver."""

MAX_SLOW_DELIVERIES = 32
"""Maximum number of concurrent deliveries to receivers that were slow before. The other slots are for quick ones."""

IDLE_SECONDS = 0.5

log = structlog.get_logger(__name__)


class WebhookDispatcher:
    """Claims webhooks, and delivers to each in a thread.

    A receiver that hangs occupies a slot until the attempt times out. Then its webhook is marked slow, and needs a
    slow slot, too. The queue limits the concurrent deliveries of each account.
    """

    def __init__(
        self,
        deliveries: WebhookDeliveries,
        *,
        max_deliveries: int = MAX_DELIVERIES,
        max_slow_deliveries: int = MAX_SLOW_DELIVERIES,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._deliveries = deliveries
        self._max_deliveries = max_deliveries
        self._idle_seconds = idle_seconds
        self._slots = threading.BoundedSemaphore(max_deliveries)
        self._slow_slots = threading.BoundedSemaphore(max_slow_deliveries)

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set, and wait for the running attempts."""
        with ThreadPoolExecutor(self._max_deliveries, "deliverer") as threads:
            while not stop.is_set():
                if not self._slots.acquire(timeout=self._idle_seconds):
                    continue
                claim = None
                try:
                    claim = self._claim()
                except ServiceError as error:  # running deliveries go on
                    log.warning("webhooks.interrupted", code=error.code)
                if claim is None:
                    self._slots.release()
                    stop.wait(self._idle_seconds)
                else:
                    threads.submit(self._deliver, claim, stop)

    def _claim(self) -> Claim | None:
        """Claim a webhook. A slow one keeps a slow slot until its delivery has ended."""
        has_slow_slot = self._slow_slots.acquire(blocking=False)
        claim = None
        try:
            claim = self._deliveries.claim(include_slow=has_slow_slot)
        finally:
            if has_slow_slot and not (claim is not None and claim.webhook.slow):
                self._slow_slots.release()
        return claim

    def _deliver(self, claim: Claim, stop: threading.Event) -> None:
        try:
            self._deliveries.deliver(claim, stop.is_set)
        except ServiceError as error:
            log.warning("webhook.interrupted", webhook_id=str(claim.webhook.webhook_id), code=error.code)
        except Exception:
            log.exception("webhook.not_delivered", webhook_id=str(claim.webhook.webhook_id))
        finally:
            if claim.webhook.slow:
                self._slow_slots.release()
            self._slots.release()
