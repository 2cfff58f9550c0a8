"""The feed: the history in envelopes, from any position on, in the order of positions and without a gap.

No event ever appears behind a position that a reader has been given: only settled positions are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import StoredEvent
from psycopg.rows import tuple_row

from application.errors import InvalidValue
from projections.event_log import Positioned, recorded_position, settled_position
from projections.published_events import BY_TYPE
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import Connection

    from projections.freshness import Database, Freshness
    from projections.published_events import Envelopes

SQL = statements("projections", "event_feed")

WINDOW = 10_000
"""Events that one page looks at, at most: so that a filter that little passes costs no request more than this."""


@dataclass(frozen=True)
class FeedPage:
    """Some of the feed. `position` is where to go on, `more` whether there is anything there already."""

    items: list[dict[str, Any]]
    position: int
    more: bool


@dataclass(frozen=True)
class FeedFilter:
    """Which events to read; None leaves nothing out."""

    types: frozenset[str] | None = None
    account_id: UUID | None = None

    @property
    def topics(self) -> list[str] | None:
        """The topics of these types; a type that there is not has none."""
        return None if self.types is None else sorted(BY_TYPE[one].topic for one in self.types if one in BY_TYPE)


class EventFeed:
    """Reads the feed."""

    def __init__(self, database: Database, freshness: Freshness, envelopes: Envelopes) -> None:
        self._database = database
        self._freshness = freshness
        self._envelopes = envelopes

    def page(self, after: int, limit: int, wanted: FeedFilter) -> FeedPage:
        """Return the next events after a position. Raises `AccountNotFound` where one account's are asked for."""
        if wanted.account_id is not None:
            self._freshness.of_account(wanted.account_id, None)
            self._freshness.of_view("audit-log")
        with self._database.get_connection() as connection:
            end = max(after, _end(connection, wanted))
            asked = {"account_id": wanted.account_id, "topics": wanted.topics, "after": after, "limit": limit}
            upto = end if wanted.topics is None else _end_of_window(connection, {**asked, "upto": end})
            found = _read(connection, {**asked, "upto": upto})
        position = found[-1].position if len(found) == limit else upto
        return FeedPage([self._envelopes.of(one) for one in found], position, more=position < end)

    def require_reached(self, position: int) -> None:
        """Raise `InvalidValue` for a position that nobody can have been given.

        It is of another history, and to wait there would pass over in silence whatever comes until then. One of an
        event that is recorded, but not settled yet, has been told to whoever recorded it.
        """
        with self._database.get_connection() as connection:
            reached = recorded_position(connection)
        if position > reached:
            raise InvalidValue("after", "is beyond the end of the history")

    def end(self) -> int:
        """Return the position after which there is nothing yet."""
        with self._database.get_connection() as connection:
            return settled_position(connection)


def _end(connection: Connection[Any], wanted: FeedFilter) -> int:
    """Return how far may be read: up to what is settled, or what the view that knows an account's events has."""
    if wanted.account_id is None:
        return settled_position(connection)
    return _number(connection, "view_position", {}) or 0


def _end_of_window(connection: Connection[Any], asked: dict[str, Any]) -> int:
    """Return how far to look for what a filter passes; where the window is not full, there is nothing after it."""
    end = _number(connection, f"end_of_window{_of_account(asked)}", {**asked, "window": WINDOW})
    return asked["upto"] if end is None else end


def _read(connection: Connection[Any], asked: dict[str, Any]) -> Sequence[Positioned]:
    cursor = connection.cursor(row_factory=tuple_row, binary=True)  # what a page costs is mostly the reading of rows
    rows = cursor.execute(SQL[f"events{_of_account(asked)}"], asked, prepare=True)
    return [Positioned(row[0], StoredEvent(row[1], row[2], row[3], row[4])) for row in rows]


def _number(connection: Connection[Any], statement: str, asked: dict[str, Any]) -> int | None:
    row = connection.cursor(row_factory=tuple_row).execute(SQL[statement], asked, prepare=True).fetchone()
    return row[0] if row is not None else None


def _of_account(asked: dict[str, Any]) -> str:
    return "" if asked["account_id"] is None else "_of_account"
