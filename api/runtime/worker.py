"""Background worker: projections, publisher, mailers, webhooks, checkpoints, erasure and housekeeping."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from adapters.postgres.sqlstates import describe
from api.bootstrap.webhook_dispatcher import WebhookDispatcher
from application.errors import ServiceError
from projections.transparency.checkpointer import HistoryRewritten, KeyNotHeld

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service

MAILERS = 2
"""Mails sent concurrently, so that one slow reply of a mail server does not delay all others."""

MAIL_POLL_SECONDS = 0.2
USAGE_POLL_SECONDS = 0.5
CHECKPOINT_POLL_SECONDS = 0.5
REFUSED_CHECKPOINT_PAUSE_SECONDS = 10.0
ERASURE_POLL_SECONDS = 15.0
DELETE_EXPIRED_SECONDS = 60.0
STORE_CHECK_SECONDS = 10.0
"""Interval of checks for a replaced store behind open connections. New connections check it themselves."""

RESTART_DELAY_SECONDS = 1.0
SHUTDOWN_SECONDS = 12.0
"""Deadline of the jobs when the process is asked to end. Shorter than the supervisor's deadline for the process."""

log = structlog.get_logger(__name__)


def work(service: Service, stop: threading.Event) -> None:
    """Run all background jobs until `stop` is set."""
    jobs: list[tuple[str, Callable[[threading.Event], None]]] = [
        *((f"follower {follower.view.name}", follower.run) for follower in service.workers.followers),
        *((f"mailer {number + 1}", lambda stop: _mail(service, stop)) for number in range(MAILERS)),
        *(("publisher", publisher.run) for publisher in [service.workers.publisher] if publisher is not None),
        ("webhooks", WebhookDispatcher(service.workers.webhook_deliveries).run),
        ("usage checks", lambda stop: _check_usage(service, stop)),
        ("checkpoints", lambda stop: _sign_checkpoints(service, stop)),
        ("legal holds", lambda stop: _erase_after_holds(service, stop)),
        ("store check", lambda stop: _watch_store(service, stop)),
        ("clearing away", lambda stop: _delete_expired_data(service, stop)),
    ]
    threads = [
        threading.Thread(target=_run_and_restart, args=(name, job, stop), name=name, daemon=True) for name, job in jobs
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    deadline = time.monotonic() + SHUTDOWN_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    unfinished = [thread.name for thread in threads if thread.is_alive()]
    if unfinished:  # they end with the process, and resume at the next start
        log.warning("worker.unfinished", jobs=unfinished)


def _run_and_restart(name: str, job: Callable[[threading.Event], None], stop: threading.Event) -> None:
    """Run a job, and restart it after any exception, so that no job stops unnoticed."""
    while not stop.is_set():
        try:
            job(stop)
        except ServiceError as error:
            log.warning("worker.interrupted", job=name, code=error.code, **describe(error))
            stop.wait(RESTART_DELAY_SECONDS)
        except Exception:
            log.exception("worker.failed", job=name)
            stop.wait(RESTART_DELAY_SECONDS)


def _mail(service: Service, stop: threading.Event) -> None:
    while not stop.is_set():
        if not service.workers.mailer.send_next():
            stop.wait(MAIL_POLL_SECONDS)


def _check_usage(service: Service, stop: threading.Event) -> None:
    while not stop.is_set():
        if not service.commands.usage.check_next():
            stop.wait(USAGE_POLL_SECONDS)


def _sign_checkpoints(service: Service, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            if not service.workers.checkpointer.sign_due():
                stop.wait(CHECKPOINT_POLL_SECONDS)
        except KeyNotHeld:  # the key was replaced after this process started
            log.warning("checkpoint.key_not_held")
            stop.wait(REFUSED_CHECKPOINT_PAUSE_SECONDS)
        except HistoryRewritten as error:
            log.warning("checkpoint.refused", reason=str(error))
            stop.wait(REFUSED_CHECKPOINT_PAUSE_SECONDS)


def _erase_after_holds(service: Service, stop: threading.Event) -> None:
    while not stop.is_set():
        service.delete_mails_of_erased()
        if not (service.clocks_agree() and service.commands.erasures.erase_next()):
            stop.wait(ERASURE_POLL_SECONDS)


def _watch_store(service: Service, stop: threading.Event) -> None:
    while not stop.wait(STORE_CHECK_SECONDS):
        service.check_store()


def _delete_expired_data(service: Service, stop: threading.Event) -> None:
    while not stop.wait(DELETE_EXPIRED_SECONDS):
        while service.delete_expired() and not stop.is_set():
            pass  # each call deletes a bounded number of rows
