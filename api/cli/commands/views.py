"""`subusers status` and `subusers rebuild`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer
from rich.table import Table

from api.bootstrap import composition_root, connections, maintenance
from api.bootstrap.config import ConfigError
from api.cli.options import AsJson
from api.cli.output import echo, print_json, print_table, print_text, progress_bar
from api.cli.startup import existing_database, open_service
from application.display_text import quantity
from projections.runtime.rebuild import rebuild as rebuild_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from projections.runtime.progress import CheckpointProgress, FollowerProgress, PublisherProgress, StoreState


class RebuildableView(StrEnum):
    """Views that can be rebuilt."""

    SUB_USERS = "sub-users"
    AUDIT_LOG = "audit-log"
    USAGE = "usage"


@dataclass(frozen=True)
class Status:
    """State of the service. `broker` is None if none is configured or nothing has been published."""

    database: str
    position: int
    epoch: StoreState | None
    clock_is_skewed: bool
    clock_skew_seconds: float
    followers: Sequence[FollowerProgress]
    mails_waiting: int
    mails_begun: int
    checkpoint: CheckpointProgress | None
    has_broker: bool
    broker: PublisherProgress | None
    legal_holds: int
    keys_under_older_master_keys: int
    may_alter_history: bool

    @property
    def has_stopped_follower(self) -> bool:
        """Whether an event has stopped a follower."""
        return any(follower.failure is not None for follower in self.followers)


def status(*, as_json: AsJson = False) -> None:
    """Show the progress of every follower, and waiting work. Exits 1 if a follower has stopped."""
    with existing_database() as settings:
        pending = maintenance.pending_migrations(settings.database_url or "")
        current = None if pending else _read_status(settings)
    if current is None:
        if as_json:
            print_json({"database": settings.database_name, "pending_migrations": pending})
        else:
            echo(f"schema: {quantity(len(pending), 'pending migration')} (run `subusers migrate`)")
        raise typer.Exit(1)
    if as_json:
        print_json({**asdict(current), "pending_migrations": pending})
    else:
        _print_status(current)
    raise typer.Exit(1 if current.has_stopped_follower else 0)


def _read_status(settings: Settings) -> Status:
    service = composition_root.build(settings)
    try:
        return _status_of(service)
    finally:
        service.close()


def _status_of(service: Service) -> Status:
    progress, has_broker = service.queries.progress, service.settings.broker_url is not None
    position, followers = progress.settled_position(), progress.followers()
    mails_waiting, mails_begun = progress.queued_mails()
    return Status(
        database=service.settings.database_name,
        position=position,
        epoch=progress.store(),
        clock_is_skewed=service.database_clock.is_skewed,
        clock_skew_seconds=service.database_clock.skew_seconds,
        followers=followers,
        mails_waiting=mails_waiting,
        mails_begun=mails_begun,
        checkpoint=progress.checkpoint(),
        has_broker=has_broker,
        broker=progress.publisher() if has_broker else None,
        legal_holds=service.commands.legal_holds.count(),
        keys_under_older_master_keys=service.workers.master_key_rotation.count_outdated(),
        may_alter_history=service.may_alter_history(),
    )


def _print_status(current: Status) -> None:
    print_text(f"history: {quantity(current.position, 'position')}")
    for line in _store_lines(current):
        print_text(line)
    table = Table("follower", "position", "behind", "moved", box=None)
    for follower in current.followers:
        moved_at = f"{follower.moved_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(follower.name, str(follower.position), str(follower.behind), moved_at)
    print_table(table)
    for follower in current.followers:
        if follower.failure is not None:
            print_text(f"STOPPED: {follower.name} at position {follower.failed_position}: {follower.failure}")
    mails = f"{current.mails_waiting} waiting ({current.mails_begun} being sent or waiting for another attempt)"
    print_text(f"mails: {mails}")
    print_text(f"checkpoint: {_describe_checkpoint(current.checkpoint)}")
    if current.has_broker:
        print_text(f"broker: {_describe_broker(current.broker)}")
    for line in _task_lines(current):
        print_text(line)


def _store_lines(current: Status) -> Iterator[str]:
    """Yield the epoch, and warnings about lost history and clocks."""
    store = current.epoch
    if store is not None:
        yield f"epoch: {store.epoch}, since {store.begun_at:%Y-%m-%d %H:%M:%S} and position {store.begun_position}"
        if store.has_unaccepted_loss:
            yield (
                f"STORE WENT BACK: it had reached position {store.lost_position} before. Nothing is signed until "
                "`subusers accept-lost-history`"
            )
    if current.clock_is_skewed:
        skew = current.clock_skew_seconds
        yield f"CLOCK: this host is {skew:+.0f} s off the database's; a `work` here deletes no expired data"


def _task_lines(current: Status) -> Iterator[str]:
    """Yield what waits for an operator or for time to pass."""
    if current.legal_holds:
        held = quantity(current.legal_holds, "deleted sub-user is", "deleted sub-users are")
        yield f"legal holds: {held} not erased yet"
    outdated = current.keys_under_older_master_keys
    if outdated:
        wrapped = quantity(outdated, "key is", "keys are")
        yield f"master keys: {wrapped} wrapped by older ones (`subusers rotate-master-key`)"
    if current.may_alter_history:
        yield "database: this role could alter the history; give the service its own role (`subusers migrate --help`)"


def _describe_checkpoint(checkpoint: CheckpointProgress | None) -> str:
    if checkpoint is None:
        return "none has been signed yet"
    signed = f"{quantity(checkpoint.tree_size, 'event')}, up to position {checkpoint.position}"
    unsigned = quantity(checkpoint.unsigned, "newer event has", "newer events have")
    return f"{signed}, signed {checkpoint.signed_at:%Y-%m-%d %H:%M:%S}; {unsigned} none"


def _describe_broker(publisher: PublisherProgress | None) -> str:
    if publisher is None:
        return "no event has been published yet"
    if not publisher.led:
        return "no process publishes; run `subusers work` with SUBUSERS_BROKER_URL"
    since = f"since {publisher.since:%Y-%m-%d %H:%M:%S}"
    if not publisher.available:
        return f"takes no events {since}: {publisher.reason}"
    return f"takes events {since}, {publisher.published} so far"


def rebuild(
    view: Annotated[RebuildableView, typer.Argument(help="The view.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Rebuild a view from the whole history and swap it in. The live view stays available. No mail is sent."""
    with open_service() as service:
        (projection,) = (projection for projection in service.workers.views if projection.name == view)
        with (
            connections.connect_for_maintenance(service.settings.owner_url, "rebuild") as connection,
            progress_bar(f"rebuilding {view}") as show_progress,
        ):
            try:
                position = rebuild_view(projection, connection, show_progress)
            except psycopg.errors.InsufficientPrivilege as error:
                reason = error.diag.message_primary
                msg = f"{reason}: SUBUSERS_ADMIN_DATABASE_URL must name a role with the right to rebuild"
                raise ConfigError(msg) from None
    if as_json:
        print_json({"view": view, "position": position})
    else:
        echo(f"{view} was rebuilt up to position {position}")
