"""The commands that run the service."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from api import bootstrap, config
from api.cli.ready import ready_service
from api.config import ConfigError
from api.demo.first_start import create_demo, is_half_made
from api.processes import end_with, stop_on_signals
from api.supervisor import supervise
from api.worker import work as do_work

if TYPE_CHECKING:
    from api.config import Settings
    from api.demo.first_start import Demo


Parent = Annotated[int | None, typer.Option(hidden=True, help="The process that this one ends with.")]


def serve() -> None:
    """Run everything: the database if none is configured, the doors, and the work beside them."""
    stop = stop_on_signals()
    settings = config.load()
    config.require_signing_key(settings)
    _require_free_port(settings)
    with bootstrap.kept_running(settings) as run_database:
        ready = run_database()
        bootstrap.run_migrations(ready)
        service = bootstrap.build(ready)
        _welcome(ready)
        try:
            bootstrap.require_signing_key(service)
            demo = create_demo(service) if ready.embedded else None
            half_made = demo is None and is_half_made(service)
        finally:
            service.close()
        if demo is not None:
            _show(demo)
        elif half_made:
            _tell_half_made(ready)
        supervise(("api", "work"), run_database, stop)


def api(parent: Parent = None) -> None:
    """Run the doors alone: the HTTP interface."""
    from api.http.server import serve as serve_http  # noqa: PLC0415  # takes as long to load as all the other commands need

    if parent is not None:
        end_with(parent)
    settings = config.load()
    _require_free_port(settings)
    with bootstrap.opened(settings):
        with ready_service(settings):
            pass  # what is wrong is told once, here, and not by every server process
        serve_http(settings)


def work(parent: Parent = None) -> None:
    """Run the work alone: followers, mailers, checkpoints, clearing away."""
    stop = stop_on_signals()
    if parent is not None:
        end_with(parent)
    settings = config.load()
    config.require_signing_key(settings)
    with ready_service(settings) as service:
        bootstrap.require_signing_key(service)
        do_work(service, stop)


def migrate(
    print_role: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Run nothing; print the SQL that sets up this role for the service."),
    ] = None,
) -> None:
    """Bring the database's schema up to date, and what the service's role may do with it."""
    with bootstrap.opened(config.load()) as ready:
        if print_role is not None:
            if bootstrap.pending_migrations(ready.owner_url):
                msg = "the database's schema is not up to date: run `subusers migrate` first"
                raise ConfigError(msg)
            typer.echo(bootstrap.role_script(ready, print_role), nl=False)
            return
        done = bootstrap.run_migrations(ready)
    typer.echo("\n".join(f"ran {name}" for name in done) or "nothing to do")


def _require_free_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            msg = f"cannot listen on {settings.host}:{settings.port} (SUBUSERS_HOST, SUBUSERS_PORT): {error.strerror}"
            raise ConfigError(msg) from None


def _welcome(settings: Settings) -> None:
    console = _terminal()
    console.print(f"[bold]subusers[/bold] is coming up on {settings.public_url}", style="green")
    console.print(f"  console {settings.public_url}")
    console.print(f"  docs    {settings.public_url}/docs")
    if settings.smtp_url is None:
        console.print(f"  mails   are written to {settings.mail_folder}")
    if settings.embedded:
        console.print(f"  data    is in {settings.data_dir}")


def _show(demo: Demo) -> None:
    console = _terminal()
    console.print("\n[bold]A demo account to log in to the console with, and API keys. Shown this once.[/bold]")
    if demo.sub_user is not None:
        console.print("Its sub-users, and the month that they have behind them, are made up.")
    console.print(f"  account    {demo.account_id}")
    console.print(f"  e-mail     {demo.email}")
    console.print(f"  password   {demo.password}")
    if demo.sub_user is not None:
        console.print(f"  sub-user   {demo.sub_user.email}")
        console.print(f"  password   {demo.sub_user.password}")
    for scope, key in demo.keys.items():
        console.print(f"  {scope:<10} {key}")
    console.print()


def _tell_half_made(settings: Settings) -> None:
    _terminal().print(
        "\n[bold]The first start was cut off while it made the demo account: its passwords and keys were never shown."
        f"[/bold]\nTo begin anew, stop this and delete {settings.data_dir}, and before it the folder that "
        "postgres/files-are-in in it names, if there is such a file.\n"
    )


def _terminal() -> Console:
    return Console(highlight=False, soft_wrap=True)
