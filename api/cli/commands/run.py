"""Commands that run the service: serve, api, work and migrate."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.markup import escape
from rich.panel import Panel

from api.bootstrap import checkpoint_keys, composition_root, config, embedded_database, maintenance
from api.bootstrap.config import ConfigError
from api.cli.options import AsJson
from api.cli.output import console, echo, print_json, report
from api.cli.startup import build_service
from api.demo.first_start import create_demo, is_incomplete_demo
from api.runtime import logs
from api.runtime.heartbeats import Heartbeats
from api.runtime.processes import SignalPipe, stop_on_signals
from api.runtime.supervisor import Child, DatabaseKeeper, Supervisor
from api.runtime.worker import work as do_work
from application.errors import ServiceError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Mailbox
    from api.demo.first_start import Demo

log = structlog.get_logger(__name__)


def serve() -> None:
    """Run everything: PostgreSQL if none is configured, the HTTP API and the background work."""
    logs.configure()
    signals = SignalPipe()
    settings = config.load()
    config.require_signing_key(settings)
    with (
        embedded_database.restartable_database(settings, may_create=True) as run_database,
        _listening(settings) as listener,
    ):
        _log_settings(settings)
        database = DatabaseKeeper(run_database)
        maintenance.run_migrations(database.settings)
        maintenance.add_default_source(database.settings)
        _prepare(database.settings)
        work_child = Child("work", lambda: _work(database.settings, listener))
        _supervise(database, listener, signals, work_child)


def api() -> None:
    """Run only the HTTP API."""
    logs.configure()
    signals = SignalPipe()
    settings = config.load()
    with embedded_database.restartable_database(settings) as run_database, _listening(settings) as listener:
        _log_settings(settings)
        database = DatabaseKeeper(run_database)
        with build_service(database.settings):
            pass  # report an error once, not in every server process
        _supervise(database, listener, signals)


def work() -> None:
    """Run only the background work: followers, mailers, webhooks, checkpoints, clean-up."""
    logs.configure()
    stop = stop_on_signals()
    settings = config.load()
    config.require_signing_key(settings)
    with embedded_database.restartable_database(settings) as run_database:
        _log_settings(settings)
        with build_service(run_database()) as service:
            checkpoint_keys.require_key_of_store(service)
            maintenance.store_source(service.settings)
            do_work(service, stop)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """Yield the listening socket. Connections wait in its backlog until a server process accepts them."""
    with tempfile.TemporaryDirectory(prefix="subusers-metrics-") as folder:
        config.share_metrics_in(Path(folder))  # before prometheus_client is imported
        from api.server import server_process  # noqa: PLC0415  # slow to load, and other commands do not need it

        server_process.raise_descriptor_limit()
        with server_process.listen(settings.host, settings.port) as listener:
            yield listener


def _supervise(database: DatabaseKeeper, listener: socket.socket, signals: SignalPipe, *others: Child) -> None:
    """Run the server processes and other children until a signal ends this process."""
    from api.flask_application import service_application  # noqa: PLC0415  # as above
    from api.http.authentication import add_request_id  # noqa: PLC0415  # as above
    from api.server.server_process import serve as serve_http  # noqa: PLC0415  # as above

    settings = database.settings
    heartbeats = Heartbeats(settings.server_processes)

    def server(process: int) -> int:
        current_settings = database.settings
        heartbeat = heartbeats.heartbeat_of(process)
        return serve_http(
            lambda: service_application(current_settings), current_settings, listener, heartbeat, add_request_id
        )

    servers = [
        Child(f"api {number + 1}", partial(server, number), heartbeats.heartbeat_of(number))
        for number in range(settings.server_processes)
    ]
    Supervisor([*servers, *others], signals, settings.watchdog_seconds, database.restart_if_ended).run()


def _work(settings: Settings, listener: socket.socket) -> int:
    """Do the background work in this process and return its exit code."""
    listener.close()
    stop = stop_on_signals()
    try:
        service = composition_root.build(settings)
    except ServiceError as error:
        log.warning("work.waits_for_database", code=error.code)
        return 1
    try:
        do_work(service, stop)
    finally:
        service.close()
    return 0


def _prepare(settings: Settings) -> None:
    """Check the keys. With embedded PostgreSQL, create the demo account at the first start."""
    service = composition_root.build(settings)
    try:
        checkpoint_keys.require_key_of_store(service)
        demo = create_demo(service) if settings.embedded else None
        is_incomplete = demo is None and is_incomplete_demo(service)
    finally:
        service.close()
    _greet(settings, service.mailbox, demo)
    if is_incomplete:
        _report_incomplete_demo(settings)


def migrate(
    print_role: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only print the SQL that sets up this role for the service."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Update the database's schema and the rights of the service's role."""
    settings = config.load()
    with embedded_database.restartable_database(settings, may_create=print_role is None) as run_database:
        report(f"database: {settings.database_name}")
        settings = run_database()
        if print_role is not None:
            if maintenance.pending_migrations(settings.owner_url):
                msg = "the database's schema is not up to date: run `subusers migrate` first"
                raise ConfigError(msg)
            echo(maintenance.role_script(settings, print_role), nl=False)
            return
        migrations = maintenance.run_migrations(settings)
    if as_json:
        print_json({"migrations": migrations})
    else:
        echo("\n".join(f"ran {name}" for name in migrations) or "nothing to do")


def _log_settings(settings: Settings) -> None:
    """Log the database, and warn of deprecated names of settings."""
    log.info("database.used", database=settings.database_name)
    for deprecated in settings.deprecated_names:
        log.warning("setting.deprecated", setting=deprecated.name, replacement=deprecated.replacement)


def _greet(settings: Settings, mailbox: Mailbox | None, demo: Demo | None) -> None:
    """Print where everything is, and the logins and API keys of a new demo account."""
    url, terminal = settings.public_url, console()
    sections = [[("console", url), ("API", f"{url}/docs")]]
    if settings.smtp_url is None:
        mails = f"{url}/mailbox?token={mailbox.token.read()}" if mailbox is not None else str(settings.mail_folder)
        sections[0].append(("mails", mails))
    if settings.embedded:
        sections[0].append(("data", str(settings.data_dir)))
    if demo is not None:
        sections += _logins_and_keys(demo)
    lines = ["\n".join(f"[dim]{name:<10}[/dim] {escape(value)}" for name, value in section) for section in sections]
    title = "[bold green]subusers[/bold green] is starting. Ctrl-C ends it."
    if demo is not None:
        lines.append("The demo's people and activity are invented. Its passwords and keys are shown only once.")
    text = "\n\n".join(lines)
    terminal.print(
        Panel.fit(text, title=title, padding=(1, 2)) if terminal.is_terminal else f"{title}\n\n{indent(text, '  ')}\n"
    )


def _logins_and_keys(demo: Demo) -> list[list[tuple[str, str]]]:
    account = [("account", str(demo.account_id)), ("e-mail", demo.email), ("password", demo.password)]
    if demo.sub_user is not None:
        account += [("sub-user", demo.sub_user.email), ("password", demo.sub_user.password)]
    return [account, [(str(scope), key) for scope, key in demo.keys.items()]]


def _report_incomplete_demo(settings: Settings) -> None:
    console().print(
        "\n[bold]The first start was interrupted while it created the demo account, whose passwords and keys were "
        f"never shown.[/bold]\nTo start over, stop the service. If {settings.data_dir}/postgres/files-are-in exists, "
        f"delete the folder that it names. Then delete {settings.data_dir}.\n"
    )
