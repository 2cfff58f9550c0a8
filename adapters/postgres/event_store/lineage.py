"""Lineage of the store: detects that this process's store was replaced by one with another history.

After the promotion of a standby or the restore of a backup, acknowledged events can be missing, and their positions can
be given to other events. So each new connection is compared with the newest epoch in the table `store_lineage`. If the
server or the history differs, a new epoch begins. A position is valid only in its epoch.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from psycopg.rows import dict_row

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

SQL = statements("adapters.postgres.event_store", "lineage")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _SeenHistory:
    """The epoch that a process knows, and the highest position that it has seen in that epoch."""

    epoch: UUID | None
    highest_position: int

    def is_continued_by(self, current: dict[str, Any]) -> bool:
        """Return whether the store is the same and still ends at or after the highest position seen.

        `current` must have been queried after this object was created.
        """
        has_same_history = self.epoch is None or (
            self.epoch == current["epoch"] and current["end_position"] >= self.highest_position
        )
        return current["is_same_server"] and has_same_history


class Lineage:
    """Compares the store with the epoch and the highest position that this process has seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # not held during queries, which can take long
        self._epoch: UUID | None = None
        self._highest_position = 0

    @property
    def epoch(self) -> UUID | None:
        """Current epoch; None before the first connection."""
        return self._epoch

    def record_position(self, position: int) -> None:
        """Remember a committed position. A store that ends before it has lost events."""
        with self._lock:
            self._highest_position = max(self._highest_position, position)

    def forget_position(self) -> None:
        """Forget the position seen, because events were deleted on purpose: from the store of a test."""
        with self._lock:
            self._highest_position = 0

    def check(self, connection: Connection[Any]) -> None:
        """Compare the connection's store with the known epoch, and begin a new epoch if they differ."""
        previous, current = self._compare(connection)
        if not previous.is_continued_by(current):
            with connection.transaction():
                connection.execute(SQL["lock"])
                previous, current = self._compare(connection)
                epoch = self._resolve(connection, previous, current)
            with self._lock:
                if epoch != self._epoch:  # otherwise another thread has set it
                    self._epoch, self._highest_position = epoch, current["end_position"]
            return
        with self._lock:
            self._epoch = self._epoch or current["epoch"]
            if self._epoch == current["epoch"]:
                self._highest_position = max(self._highest_position, current["end_position"])

    def accept_loss(self, connection: Connection[Any]) -> bool:
        """Acknowledge that events were lost, so that signing of checkpoints resumes.

        Return whether a loss was pending.
        """
        return connection.execute(SQL["accept"]).rowcount > 0

    def _compare(self, connection: Connection[Any]) -> tuple[_SeenHistory, dict[str, Any]]:
        """Return the state seen before the query, and the query's result. Other threads can commit in between."""
        with self._lock:
            previous = _SeenHistory(self._epoch, self._highest_position)
        row = (
            connection.cursor(row_factory=dict_row).execute(SQL["compare"], {"known_epoch": previous.epoch}).fetchone()
        )
        if row is None:
            raise LookupError("store_lineage")
        return previous, row

    def _resolve(self, connection: Connection[Any], previous: _SeenHistory, current: dict[str, Any]) -> UUID:
        """Return the epoch to use from now on. Begin it, unless another process has already done so."""
        epoch: UUID
        if previous.is_continued_by(current):
            epoch = current["epoch"]
            return epoch
        if current["is_same_server"] and current["has_successor"]:  # another process has begun the next epoch
            epoch = current["epoch"]
            begun_position = current["begun_position"]
            connection.execute(SQL["record_loss"], {"epoch": epoch, "seen_position": previous.highest_position})
        else:
            begun_position = current["end_position"]
            has_loss = previous.epoch is not None and previous.highest_position > begun_position
            lost_position = previous.highest_position if has_loss else None
            previous_epoch = previous.epoch or current["epoch"]
            parameters = {**current, "previous_epoch": previous_epoch, "lost_position": lost_position}
            row = connection.cursor(row_factory=dict_row).execute(SQL["begin"], parameters).fetchone()
            if row is None:
                raise LookupError("store_lineage")
            epoch = row["epoch"]
        if previous.epoch is not None and previous.highest_position > begun_position:
            log.error(
                "store.went_back",
                epoch=str(epoch),
                seen_position=previous.highest_position,
                begun_position=begun_position,
            )
        elif current["epoch"] is not None:
            log.warning("store.epoch_began", epoch=str(epoch), begun_position=begun_position)
        return epoch
