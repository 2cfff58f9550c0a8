"""How far each follower has come, for whoever looks after the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from projections.event_log import settled_position
from projections.statements import statements

if TYPE_CHECKING:
    from datetime import datetime

    from projections.freshness import Database

FOLLOWER_SQL = statements("projections", "follower")
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


class Progress:
    """Reads what `subusers status` and the metrics show."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def settled_position(self) -> int:
        """Return the position up to which the history is settled."""
        with self._database.get_connection() as connection:
            return settled_position(connection)

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
