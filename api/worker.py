"""What runs beside the doors: followers, publisher, mailers, deliveries to webhooks, checkpoints, clearing away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from application.errors import ServiceError
from projections.checkpointer import HistoryRewritten, KeyNotHeld

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service

MAILERS = 2
"""Mails under way at once: one slow server answer does not hold up everybody."""

DELIVERERS = 4
"""Webhooks that are sent to at once."""

MAIL_POLL_SECONDS = 0.2
USAGE_POLL_SECONDS = 0.5
WEBHOOK_POLL_SECONDS = 0.5
CHECKPOINT_POLL_SECONDS = 0.5
LOOK_AGAIN_SECONDS = 10.0
ERASURE_POLL_SECONDS = 15.0
CLEAR_AWAY_SECONDS = 60.0
CALM_DOWN_SECONDS = 1.0

log = structlog.get_logger(__name__)


def work(service: Service, stop: threading.Event) -> None:
    """Work until told to stop."""
    jobs: list[tuple[str, Callable[[threading.Event], None]]] = [
        *((f"follower {follower.view.name}", follower.run) for follower in service.followers),
        *((f"mailer {number + 1}", lambda stop: _mail(service, stop)) for number in range(MAILERS)),
        *(("publisher", publisher.run) for publisher in [service.publisher] if publisher is not None),
        *((f"deliverer {number + 1}", lambda stop: _deliver(service, stop)) for number in range(DELIVERERS)),
        ("usage checks", lambda stop: _check_usage(service, stop)),
        ("checkpoints", lambda stop: _sign_checkpoints(service, stop)),
        ("legal holds", lambda stop: _erase(service, stop)),
        ("clearing away", lambda stop: _clear_away(service, stop)),
    ]
    threads = [
        threading.Thread(target=_keep_doing, args=(name, job, stop), name=name, daemon=True) for name, job in jobs
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join()


def _keep_doing(name: str, job: Callable[[threading.Event], None], stop: threading.Event) -> None:
    """Take a job up again after whatever made it end: one that stood still unseen would be worse."""
    while not stop.is_set():
        try:
            job(stop)
        except ServiceError as error:
            log.warning("worker.interrupted", job=name, code=error.code)
            stop.wait(CALM_DOWN_SECONDS)
        except Exception:
            log.exception("worker.failed", job=name)
            stop.wait(CALM_DOWN_SECONDS)


def _mail(service: Service, stop: threading.Event) -> None:
    while not stop.is_set():
        if not service.mailing.send_next():
            stop.wait(MAIL_POLL_SECONDS)


def _deliver(service: Service, stop: threading.Event) -> None:
    while not stop.is_set():
        if not service.webhook_deliveries.deliver_next(stop.is_set):
            stop.wait(WEBHOOK_POLL_SECONDS)


def _check_usage(service: Service, stop: threading.Event) -> None:
    while not stop.is_set():
        if not service.usage.check_next():
            stop.wait(USAGE_POLL_SECONDS)


def _sign_checkpoints(service: Service, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            if not service.checkpointer.make_due():
                stop.wait(CHECKPOINT_POLL_SECONDS)
        except KeyNotHeld:  # another key has taken over since this process started: it leaves signing to others
            log.warning("checkpoint.key_not_held")
            stop.wait(LOOK_AGAIN_SECONDS)
        except HistoryRewritten as error:
            log.warning("checkpoint.refused", reason=str(error))
            stop.wait(LOOK_AGAIN_SECONDS)


def _erase(service: Service, stop: threading.Event) -> None:
    while not stop.is_set():
        service.clear_away_mails()
        if not service.erasures.erase_next():
            stop.wait(ERASURE_POLL_SECONDS)


def _clear_away(service: Service, stop: threading.Event) -> None:
    while not stop.wait(CLEAR_AWAY_SECONDS):
        while service.clear_away() and not stop.is_set():
            pass  # each call takes a bounded bite
