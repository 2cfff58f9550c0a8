"""How the views are, and making them anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress as ProgressBar
from rich.table import Column, Table

from api import bootstrap, config
from api.cli.ready import ready_service
from api.cli.tables import show
from projections.rebuild import rebuild as rebuild_view

if TYPE_CHECKING:
    from projections.progress import CheckpointProgress, PublisherProgress


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
            checkpoint = service.progress.checkpoint()
            publisher = service.progress.publisher() if ready.broker_url is not None else None
            mighty, held = service.may_alter_history(), service.legal_holds.count()
            older = service.rewrapping.older()
        finally:
            service.close()
    table = Table("follower", "position", "behind", "moved", Column("stopped by", overflow="fold"))
    for one in followers:
        stopped = f"position {one.failed_position}: {one.failure}" if one.failure is not None else ""
        table.add_row(one.name, str(one.position), str(one.behind), f"{one.moved_at:%Y-%m-%d %H:%M:%S}", stopped)
    typer.echo(f"history: {settled} positions")
    show(table)
    typer.echo(f"mails: {queued} waiting, {retried} of them after a failed attempt")
    typer.echo(f"checkpoint: {_of_checkpoint(checkpoint)}")
    if ready.broker_url is not None:
        typer.echo(f"broker: {_of_broker(publisher)}")
    if held:
        typer.echo(f"legal holds: {held} deleted sub-users are yet to be erased")
    if older:
        typer.echo(f"master keys: {older} keys are wrapped by older ones (`subusers rotate-master-key`)")
    if mighty:
        typer.echo(
            "database: this role could alter the history, give the service one of its own (`subusers migrate --help`)"
        )
    raise typer.Exit(1 if any(one.failure is not None for one in followers) else 0)


def _of_checkpoint(checkpoint: CheckpointProgress | None) -> str:
    if checkpoint is None:
        return "nothing was signed yet"
    signed = f"{checkpoint.tree_size} events, up to position {checkpoint.position}"
    return f"{signed}, signed {checkpoint.signed_at:%Y-%m-%d %H:%M:%S}; {checkpoint.unsigned} have none yet"


def _of_broker(publisher: PublisherProgress | None) -> str:
    if publisher is None:
        return "nothing was published yet"
    if not publisher.led:
        return "no process publishes: does `subusers work` run, with SUBUSERS_BROKER_URL?"
    since = f"since {publisher.since:%Y-%m-%d %H:%M:%S}"
    if not publisher.available:
        return f"takes no events {since}: {publisher.reason}"
    return f"takes events {since}, {publisher.published} so far"


def rebuild(view: Annotated[str, typer.Argument(help="`sub-users`, `audit-log` or `usage`.")]) -> None:
    """Make a view anew from the whole history, beside the live one, and swap it in. No mail is sent by it."""
    with ready_service() as service:
        wanted = {one.name: one for one in service.views if one.tables}.get(view)
        if wanted is None:
            typer.echo(f"subusers: there is no view {view} that can be rebuilt", err=True)
            raise typer.Exit(2)
        with bootstrap.connect(service.settings.owner_url, "rebuild") as connection, ProgressBar() as bar:
            task = bar.add_task(f"rebuilding {view}")
            position = rebuild_view(
                wanted, connection, lambda done, of: bar.update(task, completed=done, total=max(of, 1))
            )
    typer.echo(f"{view} was rebuilt up to position {position}")
