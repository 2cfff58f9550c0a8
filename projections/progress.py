"""How far each follower has come, for whoever looks after the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from projections.event_log import recorded_position, settled_position
from projections.statements import statements

if TYPE_CHECKING:
    from datetime import datetime

    from projections.freshness import Database

PUBLISHER_SQL = statements("projections", "publisher")
FOLLOWER_SQL = statements("projections", "follower")
CHECKPOINT_SQL = statements("projections", "checkpoints")
MAIL_SQL = statements("projections", "mail_queue")


@dataclass(frozen=True)
class FollowerProgress:
    """One follower: where it stands, how many positions it is behind, and what stopped it, if anything did."""

    name: str
    position: int
    behind: int
    moved_at: datetime
    failed_position: int | None
    failure: str | None
    failed_at: datetime | None


@dataclass(frozen=True)
class PublisherProgress:
    """How the publisher gets on: whether the broker takes events, since when, and if not, why.

    `led` says whether any process publishes: one that was killed left the rest as it was. `published` events were
    confirmed by the broker, repeated ones counted again; `returned` ones came back, for want of any queue.
    """

    available: bool
    since: datetime
    reason: str | None
    published: int
    returned: int
    led: bool


@dataclass(frozen=True)
class CheckpointProgress:
    """The newest checkpoint: how many events it has, up to which position, and how many have come since."""

    tree_size: int
    position: int
    signed_at: datetime
    unsigned: int


class Progress:
    """Reads what `subusers status` and the metrics show."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def settled_position(self) -> int:
        """Return the position up to which the history is settled."""
        with self._database.get_connection() as connection:
            return settled_position(connection)

    def recorded_position(self) -> int:
        """Return the position of the last event there is, settled or not."""
        with self._database.get_connection() as connection:
            return recorded_position(connection)

    def followers(self) -> list[FollowerProgress]:
        """Return every follower there is."""
        with self._database.get_connection() as connection:
            settled = settled_position(connection)
            rows = connection.execute(FOLLOWER_SQL["progress"]).fetchall()
        return [FollowerProgress(**row, behind=max(0, settled - row["position"])) for row in rows]

    def queued_mails(self) -> tuple[int, int]:
        """Return how many mails wait, and how many of them have been tried before."""
        with self._database.get_connection() as connection:
            row = connection.execute(MAIL_SQL["count_queued"]).fetchone()
        return (int(row["queued"]), int(row["retried"])) if row is not None else (0, 0)

    def checkpoint(self) -> CheckpointProgress | None:
        """Return the newest checkpoint, and what has none yet; None if nothing was ever signed."""
        with self._database.get_connection() as connection:
            row = connection.execute(CHECKPOINT_SQL["progress"]).fetchone()
        return CheckpointProgress(**row) if row is not None else None

    def publisher(self) -> PublisherProgress | None:
        """Return how the publisher gets on; None if there has never been any."""
        with self._database.get_connection() as connection:
            row = connection.execute(PUBLISHER_SQL["state"]).fetchone()
        return PublisherProgress(**row) if row is not None else None
