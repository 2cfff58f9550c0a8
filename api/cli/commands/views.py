"""`subusers status` and `subusers rebuild`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress as ProgressBar
from rich.table import Column, Table

from api.bootstrap import composition_root, config, connections, embedded_database, maintenance
from api.cli.output import echo, print_table
from api.cli.startup import open_service
from projections.runtime.rebuild import rebuild as rebuild_view

if TYPE_CHECKING:
    from projections.runtime.progress import CheckpointProgress, PublisherProgress


def status() -> None:
    """Show the progress of every follower, and waiting work. Exits 1 if a follower has stopped."""
    with embedded_database.database_running(config.load()) as settings:
        pending = maintenance.pending_migrations(settings.database_url or "")
        if pending:
            echo(f"schema: {len(pending)} pending migrations (run `subusers migrate`)")
            raise typer.Exit(1)
        service = composition_root.build(settings)
        try:
            settled, followers = service.queries.progress.settled_position(), service.queries.progress.followers()
            queued_mails, begun_mails = service.queries.progress.queued_mails()
            checkpoint = service.queries.progress.checkpoint()
            publisher = service.queries.progress.publisher() if settings.broker_url is not None else None
            may_alter_history, holds = service.may_alter_history(), service.commands.legal_holds.count()
            outdated_keys = service.workers.master_key_rotation.count_outdated()
            store = service.queries.progress.store()
            is_skewed, skew_seconds = service.database_clock.is_skewed, service.database_clock.skew_seconds
        finally:
            service.close()
    table = Table("follower", "position", "behind", "moved", Column("stopped by", overflow="fold"))
    for follower in followers:
        failure = f"position {follower.failed_position}: {follower.failure}" if follower.failure is not None else ""
        moved_at = f"{follower.moved_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(follower.name, str(follower.position), str(follower.behind), moved_at, failure)
    echo(f"history: {settled} positions")
    if store is not None:
        echo(f"epoch: {store.epoch}, since {store.begun_at:%Y-%m-%d %H:%M:%S} and position {store.begun_position}")
        if store.has_unaccepted_loss:
            echo(
                f"STORE WENT BACK: it had reached position {store.lost_position} before. Nothing is signed until "
                "`subusers accept-lost-history`"
            )
    if is_skewed:
        echo(f"CLOCK: this host is {skew_seconds:+.0f} s off the database's; a `work` here deletes no expired data")
    print_table(table)
    echo(f"mails: {queued_mails} waiting, {begun_mails} of them being sent or waiting for another attempt")
    echo(f"checkpoint: {_describe_checkpoint(checkpoint)}")
    if settings.broker_url is not None:
        echo(f"broker: {_describe_broker(publisher)}")
    if holds:
        echo(f"legal holds: {holds} deleted sub-users are not erased yet")
    if outdated_keys:
        echo(f"master keys: {outdated_keys} keys are wrapped by older ones (`subusers rotate-master-key`)")
    if may_alter_history:
        echo("database: this role could alter the history; give the service its own role (`subusers migrate --help`)")
    raise typer.Exit(1 if any(follower.failure is not None for follower in followers) else 0)


def _describe_checkpoint(checkpoint: CheckpointProgress | None) -> str:
    if checkpoint is None:
        return "none has been signed yet"
    signed = f"{checkpoint.tree_size} events, up to position {checkpoint.position}"
    return f"{signed}, signed {checkpoint.signed_at:%Y-%m-%d %H:%M:%S}; {checkpoint.unsigned} newer events have none"


def _describe_broker(publisher: PublisherProgress | None) -> str:
    if publisher is None:
        return "no event has been published yet"
    if not publisher.led:
        return "no process publishes; run `subusers work` with SUBUSERS_BROKER_URL"
    since = f"since {publisher.since:%Y-%m-%d %H:%M:%S}"
    if not publisher.available:
        return f"takes no events {since}: {publisher.reason}"
    return f"takes events {since}, {publisher.published} so far"


def rebuild(view: Annotated[str, typer.Argument(help="`sub-users`, `audit-log` or `usage`.")]) -> None:
    """Rebuild a view from the whole history and swap it in. The live view stays available. No mail is sent."""
    with open_service() as service:
        projection = {projection.name: projection for projection in service.workers.views if projection.tables}.get(
            view
        )
        if projection is None:
            echo(f"subusers: {view} is not a view that can be rebuilt", err=True)
            raise typer.Exit(2)
        with (
            connections.connect_for_maintenance(service.settings.owner_url, "rebuild") as connection,
            ProgressBar() as bar,
        ):
            task = bar.add_task(f"rebuilding {view}")
            position = rebuild_view(
                projection, connection, lambda done, total: bar.update(task, completed=done, total=max(total, 1))
            )
    echo(f"{view} was rebuilt up to position {position}")
