"""Event feed: envelopes of all events, from any position on, in the order of positions and without gaps.

It reads only settled positions, so no event ever appears at or before a position that a reader has been given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.rows import scalar_row

from adapters.postgres.event_store.settled_reads import recorded_event, recorded_position, settled_position
from adapters.postgres.prepared_statements import named_row
from adapters.postgres.sql_files import statements
from application.errors import StoreWentBack
from projections.feed.event_catalog import BY_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent
    from projections.feed.event_catalog import Envelopes
    from projections.runtime.freshness import Database, Freshness

SQL = statements("projections.feed", "pages")

WINDOW_SIZE = 10_000
"""Maximum number of events that one page reads. It bounds the cost of a request whose filter matches little."""


@dataclass(frozen=True)
class FeedPage:
    """A page of the feed. The next page begins after `position`; `more` is whether it has any events already."""

    items: list[dict[str, Any]]
    position: int
    more: bool
    epoch: UUID | None = field(default=None, compare=False)


@dataclass(frozen=True)
class FeedFilter:
    """Which events to read. None means no limit."""

    types: frozenset[str] | None = None
    account_id: UUID | None = None

    @property
    def topics(self) -> list[str] | None:
        """Topics of the requested types. A type that does not exist has none."""
        return None if self.types is None else sorted(BY_TYPE[type_].topic for type_ in self.types if type_ in BY_TYPE)


class EventFeed:
    """Reads the feed."""

    def __init__(
        self, database: Database, freshness: Freshness, envelopes: Envelopes, epoch: Callable[[], UUID | None]
    ) -> None:
        """`epoch` returns the current epoch of the store."""
        self._epoch = epoch
        self._database = database
        self._freshness = freshness
        self._envelopes = envelopes

    def page(self, after: int, limit: int, feed_filter: FeedFilter) -> FeedPage:
        """Return the next events after a position. Raises `AccountNotFound` if the filter names an unknown account."""
        if feed_filter.account_id is not None:
            self._freshness.wait_for_account(feed_filter.account_id, None)
            self._freshness.wait_for_view("audit-log")
        with self._database.get_connection() as connection:
            end = max(after, _end(connection, feed_filter))
            parameters: dict[str, Any] = {
                "account_id": feed_filter.account_id,
                "topics": feed_filter.topics,
                "after": after,
                "limit": limit,
            }
            parameters["max_position"] = end
            if feed_filter.topics is not None:
                parameters["max_position"] = _end_of_window(connection, parameters)
            events = _read(connection, parameters)
        position = events[-1].position if len(events) == limit else parameters["max_position"]
        items = [self._envelopes.wrap(event) for event in events]
        return FeedPage(items, position, more=position < end, epoch=self._epoch())

    def require_reached(self, position: int, epoch: UUID | None = None) -> None:
        """Raise `StoreWentBack` for a position of another epoch, or one beyond the end of the current epoch.

        Waiting there would silently skip events. A position is valid in both epochs up to where they are identical. The
        position of an event that is recorded but not yet settled is valid too: the command that recorded it has
        returned it.
        """
        with self._database.get_connection() as connection:
            last_position = recorded_position(connection)
            current_epoch = self._epoch()
            last_valid = (
                self._common_position(connection, epoch) if epoch not in {None, current_epoch} else last_position
            )
        if last_valid is None or position > last_valid:
            raise StoreWentBack(current_epoch, last_valid)

    def _common_position(self, connection: Connection[Any], epoch: UUID | None) -> int | None:
        """Return the position up to which an earlier epoch equals the current one, or None if it is unknown."""
        return _number(connection, "common_position", {"epoch": epoch})

    def envelope(self, event: RecordedEvent) -> dict[str, Any]:
        """Return an event in its published form."""
        return self._envelopes.wrap(event)

    def end(self) -> int:
        """Return the settled position, after which there are no events yet."""
        with self._database.get_connection() as connection:
            return settled_position(connection)


def _end(connection: Connection[Any], feed_filter: FeedFilter) -> int:
    """Return the last readable position: the settled one, or for one account that of the view that lists its events."""
    if feed_filter.account_id is None:
        return settled_position(connection)
    return _number(connection, "view_position", {}) or 0


def _end_of_window(connection: Connection[Any], parameters: dict[str, Any]) -> int:
    """Return the last position to search: the end of the window, or `max_position` if fewer events are left."""
    end = _number(connection, f"end_of_window{_suffix(parameters)}", {**parameters, "window_size": WINDOW_SIZE})
    return parameters["max_position"] if end is None else end


def _read(connection: Connection[Any], parameters: dict[str, Any]) -> Sequence[RecordedEvent]:
    cursor = connection.cursor(row_factory=named_row, binary=True)  # decoding rows is most of a page's cost
    rows = cursor.execute(SQL[f"events{_suffix(parameters)}"], parameters, prepare=True)
    return [recorded_event(row) for row in rows]


def _number(connection: Connection[Any], statement: str, parameters: dict[str, Any]) -> int | None:
    number: int | None = (
        connection.cursor(row_factory=scalar_row).execute(SQL[statement], parameters, prepare=True).fetchone()
    )
    return number


def _suffix(parameters: dict[str, Any]) -> str:
    return "" if parameters["account_id"] is None else "_of_account"
