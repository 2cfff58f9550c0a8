"""Progress of the followers, the publisher and the checkpoints, for operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.postgres.event_store.settled_reads import recorded_position, settled_position
from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from projections.runtime.freshness import Database

PUBLISHER_SQL = statements("projections.feed", "publisher")
FOLLOWER_SQL = statements("projections.runtime", "follower_status")
CHECKPOINT_SQL = statements("projections.transparency", "checkpoints")
LINEAGE_SQL = statements("projections.transparency", "lineage")
MAIL_SQL = statements("projections.mail_queue", "projection")


@dataclass(frozen=True)
class FollowerProgress:
    """Progress of one follower: its position, its lag in positions, and the failure that stopped it, if any."""

    name: str
    position: int
    behind: int
    moved_at: datetime
    failed_position: int | None
    failure: str | None
    failed_at: datetime | None


@dataclass(frozen=True)
class PublisherProgress:
    """Status of the publisher: whether the broker accepts events, since when, and if not, why.

    `led` is whether a process publishes at the moment. If none does, the other fields can be outdated. `published`
    counts the events that the broker confirmed, including redeliveries. `returned` counts those that it returned
    because no queue was bound.
    """

    available: bool
    since: datetime
    reason: str | None
    published: int
    returned: int
    led: bool


@dataclass(frozen=True)
class CheckpointProgress:
    """The newest checkpoint: its tree size, position and time, and the number of events since then."""

    tree_size: int
    position: int
    signed_at: datetime
    unsigned: int


@dataclass(frozen=True)
class StoreState:
    """Current epoch of the store, its first position, and the position up to which history was lost, if any was.

    An epoch that began with a loss is reported until an operator accepts the loss.
    """

    epoch: UUID
    begun_at: datetime
    begun_position: int
    lost_position: int | None
    accepted_at: datetime | None

    @property
    def has_unaccepted_loss(self) -> bool:
        """Whether history was lost and no operator has accepted the loss."""
        return self.lost_position is not None and self.accepted_at is None


class Progress:
    """Queries behind `subusers status` and the metrics."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def settled_position(self) -> int:
        """Return the settled position: no further event can appear before it."""
        with self._database.get_connection() as connection:
            return settled_position(connection)

    def recorded_position(self) -> int:
        """Return the position of the newest event, settled or not."""
        with self._database.get_connection() as connection:
            return recorded_position(connection)

    def followers(self) -> list[FollowerProgress]:
        """Return the progress of every follower."""
        with self._database.get_connection() as connection:
            settled = settled_position(connection)
            rows = connection.execute(FOLLOWER_SQL["progress"]).fetchall()
        return [FollowerProgress(**row, behind=max(0, settled - row["position"])) for row in rows]

    def queued_mails(self) -> tuple[int, int]:
        """Return the number of queued mails, and of those that a worker has claimed at least once."""
        with self._database.get_connection() as connection:
            row = connection.execute(MAIL_SQL["count_queued"]).fetchone()
        return (int(row["queued"]), int(row["begun"])) if row is not None else (0, 0)

    def checkpoint(self) -> CheckpointProgress | None:
        """Return the newest checkpoint and the number of unsigned events, or None before the first checkpoint."""
        with self._database.get_connection() as connection:
            row = connection.execute(CHECKPOINT_SQL["progress"]).fetchone()
        return CheckpointProgress(**row) if row is not None else None

    def store(self) -> StoreState | None:
        """Return the newest epoch that began with an unaccepted loss, else the newest epoch; None before the first."""
        with self._database.get_connection() as connection:
            row = connection.execute(LINEAGE_SQL["state"]).fetchone()
        return StoreState(**row) if row is not None else None

    def publisher(self) -> PublisherProgress | None:
        """Return the status of the publisher, or None if none has ever run."""
        with self._database.get_connection() as connection:
            row = connection.execute(PUBLISHER_SQL["state"]).fetchone()
        return PublisherProgress(**row) if row is not None else None
