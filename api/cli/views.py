"""How the views are, and making them anew."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import Progress as ProgressBar
from rich.table import Column, Table

from api import bootstrap, config
from api.cli.ready import ready_service
from api.cli.tables import show
from projections.rebuild import rebuild as rebuild_view


def status() -> None:
    """Show how far every follower has come, and what waits. Exits 1 if a follower has stopped."""
    with bootstrap.opened(config.load()) as ready:
        pending = bootstrap.pending_migrations(ready.database_url or "")
        if pending:
            typer.echo(f"schema: {len(pending)} migrations to run (`subusers migrate`)")
            raise typer.Exit(1)
        service = bootstrap.build(ready)
        try:
            settled, followers = service.progress.settled_position(), service.progress.followers()
            queued, retried = service.progress.queued_mails()
        finally:
            service.close()
    table = Table("follower", "position", "behind", "moved", Column("stopped by", overflow="fold"))
    for one in followers:
        stopped = f"position {one.failed_position}: {one.failure}" if one.failure is not None else ""
        table.add_row(one.name, str(one.position), str(one.behind), f"{one.moved_at:%Y-%m-%d %H:%M:%S}", stopped)
    typer.echo(f"history: {settled} positions")
    show(table)
    typer.echo(f"mails: {queued} waiting, {retried} of them after a failed attempt")
    raise typer.Exit(1 if any(one.failure is not None for one in followers) else 0)


def rebuild(view: Annotated[str, typer.Argument(help="`sub-users` or `audit-log`.")]) -> None:
    """Make a view anew from the whole history, beside the live one, and swap it in. No mail is sent by it."""
    with ready_service() as service:
        wanted = {one.name: one for one in service.views if one.tables}.get(view)
        if wanted is None:
            typer.echo(f"subusers: there is no view {view} that can be rebuilt", err=True)
            raise typer.Exit(2)
        with bootstrap.connect(service.settings.database_url or "", "rebuild") as connection, ProgressBar() as bar:
            task = bar.add_task(f"rebuilding {view}")
            position = rebuild_view(
                wanted, connection, lambda done, of: bar.update(task, completed=done, total=max(of, 1))
            )
    typer.echo(f"{view} was rebuilt up to position {position}")
