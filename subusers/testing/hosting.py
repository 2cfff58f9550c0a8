"""The service with its HTTP server, followers and controls, in the process that `SubusersService` starts."""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
from contextlib import ExitStack, closing
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from api.bootstrap.composition_root import build
from api.bootstrap.config import Settings
from api.bootstrap.cores import available_cores
from api.bootstrap.maintenance import run_migrations
from api.bootstrap.signing_keys import SigningKeys
from api.bootstrap.testing.followers import running_followers
from api.bootstrap.testing.recorders import RecordingMailTransport, RecordingWebhookSender
from api.bootstrap.testing.store import SavedState
from api.bootstrap.transports import Transports
from api.flask_application import create_app
from api.runtime import logs
from api.runtime.heartbeats import Heartbeats
from api.server.server_process import Application, listen, serve
from application.webhook_url_policy import WebhookUrlPolicy
from subusers.testing.controls import AdvancingClock, Controls

if TYPE_CHECKING:
    import socket
    from pathlib import Path


HOST = "127.0.0.1"
THIS_MACHINE = WebhookUrlPolicy((ip_network("127.0.0.0/8"), ip_network("::1/128")), frozenset({"localhost"}))
"""Receivers that webhooks may have in addition to public ones. Nothing is sent to them."""


def host(channel: socket.socket, folder: Path, owner_url: str, service_url: str) -> None:
    """Serve on a free port until the channel is closed.

    The channel carries JSON, one value a line: first URL and API key of the service, then commands and their results.
    """
    logs.configure()
    with ExitStack() as stack:
        listener = stack.enter_context(listen(HOST, 0))
        settings = _settings(folder, listener.getsockname()[1], owner_url, service_url)
        run_migrations(settings)
        clock, mails, requests = AdvancingClock(), RecordingMailTransport(settings.public_url), RecordingWebhookSender()
        service = stack.enter_context(closing(build(settings, clock, transports=Transports(mails, requests))))
        stack.enter_context(running_followers(service))
        saved_state = stack.enter_context(closing(SavedState(owner_url)))
        controls = Controls(service, clock, mails, requests, saved_state)
        ready = {"url": settings.public_url, "api_key": controls.prepare()}
        application = Application(create_app(service), service.queries.event_tail.end)

        def create() -> Application:  # called once the server handles SIGTERM, which the thread sends
            threading.Thread(target=_answer, args=(channel, controls, ready), name="controls", daemon=True).start()
            return application

        serve(create, settings, listener, Heartbeats(1).heartbeat_of(0))


def _settings(folder: Path, port: int, owner_url: str, service_url: str) -> Settings:
    return Settings(
        embedded=False,
        database_url=service_url,
        admin_database_url=owner_url,
        smtp_url=None,
        mail_from=None,
        master_keys=(secrets.token_bytes(32),),
        signing_keys=SigningKeys((secrets.token_bytes(32),)),
        data_dir=folder,
        host=HOST,
        port=port,
        public_url=f"http://{HOST}:{port}",
        server_processes=1,
        threads=16,
        cores=available_cores(),
        webhook_receivers=THIS_MACHINE,
    )


def _answer(channel: socket.socket, controls: Controls, ready: dict[str, str]) -> None:
    """Execute commands until the channel is closed. Then ask the server to end."""
    try:
        with channel, channel.makefile("rw", encoding="utf-8") as lines:
            _write(lines, {"result": ready})
            for line in lines:
                request = json.loads(line)
                try:
                    response = {"result": controls.commands[request["command"]](**request["arguments"])}
                except Exception as error:  # noqa: BLE001  # the caller raises it
                    response = {"error": f"{type(error).__name__}: {error}"}
                _write(lines, response)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _write(lines: Any, response: dict[str, Any]) -> None:
    lines.write(json.dumps(response) + "\n")
    lines.flush()
