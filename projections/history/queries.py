"""History of an account from its first event on, and its state at a moment.

"As of a moment" selects by the recorded time of each event. In the account's own stream these events are a prefix,
because times never go backwards there: `MainAccount` ensures it even if the clocks of processes differ. Events in other
streams (activities, usage, webhooks, audit reads) are selected one by one. The search for them ends at the position of
the first event of the account's own stream that is more than a day later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from adapters.postgres.event_store.settled_reads import settled_position
from application.errors import InvalidValue
from domain.refusals import SubUserNotFound
from projections.history.account_state import account_state
from projections.history.aggregate_cache import AggregateCache
from projections.history.reader import Bound, Cursor, HistoryReader, apply_after_gap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from application.pagination_cursors import Cursors
    from application.ports.clock import Clock
    from application.ports.vault import Vault
    from domain.events import Event
    from domain.main_account import MainAccount
    from projections.history.account_state import AccountState
    from projections.history.reader import EventSource, HistoryEntry
    from projections.runtime.freshness import Freshness

REPLAY_BATCH = 1000

CLOCK_TOLERANCE = timedelta(seconds=1)
"""Allowed lead of `as_of`: the clocks of processes differ slightly, and it may be a time that another one recorded."""

WINDOW_SIZE = 10_000
"""Maximum number of events that one page reads. It bounds the cost of a request whose filter matches little."""

MAX_CLOCK_SKEW = timedelta(days=1)
"""Clock skew between processes that does not affect the results."""

END_OF_TIME = datetime.max.replace(tzinfo=UTC) - MAX_CLOCK_SKEW


@dataclass(frozen=True)
class HistoryFilter:
    """Which events to read: up to a moment, and about one sub-user. None means no limit."""

    as_of: datetime | None = None
    sub_user_id: UUID | None = None

    def cursor_scope(self, account_id: UUID) -> list[str]:
        """Return the values that a cursor of this history is bound to."""
        return ["history", *(str(part) for part in (account_id, self.as_of, self.sub_user_id))]


@dataclass(frozen=True)
class HistoryPage:
    """A page of a history. The first page includes the state at the end of the whole history, if there is one."""

    entries: Sequence[HistoryEntry]
    state: AccountState | None
    next_cursor: str | None


class Replay:
    """A whole history, to be iterated once. Afterwards `state` is the state at its end, None before the first event."""

    def __init__(self, reader: HistoryReader, history_filter: HistoryFilter, vault: Vault) -> None:
        self._reader = reader
        self._filter = history_filter
        self._vault = vault
        self.event_count = 0

    def __iter__(self) -> Iterator[HistoryEntry]:
        """Yield the entries, with only one batch in memory."""
        for entry in self._reader.entries():
            if entry is not None:
                self.event_count += 1
                yield entry
        self._reader.apply_remaining()

    @property
    def progress(self) -> tuple[int, int]:
        """Position reached and last position, in positions of the whole event store."""
        return self._reader.cursor.position, self._reader.bound.max_position

    @property
    def state(self) -> AccountState | None:
        """State of the account at the position reached."""
        return _state(self._reader.cursor.account, self._reader.bound, self._filter, self._vault)


class History:
    """Reads histories, once the views contain every event recorded before the request."""

    def __init__(self, source: EventSource, freshness: Freshness, cursors: Cursors, clock: Clock) -> None:
        self._source = source
        self._freshness = freshness
        self._cursors = cursors
        self._clock = clock
        self._aggregate_cache = AggregateCache()

    def page(
        self,
        account_id: UUID,
        history_filter: HistoryFilter,
        limit: int,
        cursor: str | None,
        min_position: int | None = None,
    ) -> HistoryPage:
        """Return a page, and the cursor of the next one if there may be more.

        Raises `AccountNotFound`, `SubUserNotFound` and `InvalidValue`.
        """
        self._require_past(history_filter)
        if cursor is None:
            bound, reader_cursor = self._bound(account_id, history_filter, min_position), Cursor()
        else:
            bound, reader_cursor = self._resume(account_id, history_filter, cursor)
        reader = HistoryReader(self._source, account_id, bound, reader_cursor, history_filter.sub_user_id)
        entries, has_more = _read_page(reader, limit)
        if reader_cursor.account is not None:
            self._aggregate_cache.put(reader_cursor.account, history_filter.sub_user_id)
        values = [
            *(reader_cursor.position, reader_cursor.version, bound.max_position, bound.max_version),
            bound.as_of.isoformat(),
        ]
        state = self._state(account_id, bound, history_filter) if cursor is None else None
        next_cursor = self._cursors.write(history_filter.cursor_scope(account_id), values) if has_more else None
        return HistoryPage(entries, state, next_cursor)

    def replay(self, account_id: UUID, history_filter: HistoryFilter, min_position: int | None = None) -> Replay:
        """Return the whole history.

        Raises `AccountNotFound`, `SubUserNotFound`, and `InvalidValue` for a time in the future.
        """
        self._require_past(history_filter)
        reader = HistoryReader(
            self._source,
            account_id,
            self._bound(account_id, history_filter, min_position),
            Cursor(),
            history_filter.sub_user_id,
        )
        return Replay(reader, history_filter, self._source.vault)

    def _require_past(self, history_filter: HistoryFilter) -> None:
        """Refuse a time in the future: events recorded until then can change its history."""
        if history_filter.as_of is not None and history_filter.as_of > self._clock() + CLOCK_TOLERANCE:
            raise InvalidValue("as_of", "must not be in the future")

    def _bound(self, account_id: UUID, history_filter: HistoryFilter, min_position: int | None) -> Bound:
        """Return the bound of a history that is read now."""
        self._freshness.wait_for_account(account_id, min_position)
        self._freshness.wait_for_view("audit-log")
        if min_position is not None:
            self._freshness.wait_for_view("audit-log", min_position)
        bound = self._account_bound(account_id, history_filter)
        if history_filter.sub_user_id is None:
            return bound
        if not self._source.rows("first_about", account_id=account_id, sub_user_id=history_filter.sub_user_id):
            raise SubUserNotFound
        max_position = min(bound.max_position, self._audit_log_position())  # the view finds the events about a sub-user
        max_version = min(bound.max_version, self._version_at_position(account_id, max_position))
        return replace(bound, max_position=max_position, max_version=max_version)

    def _account_bound(self, account_id: UUID, history_filter: HistoryFilter) -> Bound:
        as_of = history_filter.as_of or self._clock()
        if history_filter.as_of is None:
            return Bound(
                self._query_version("stream_version", account_id), self._settled_position(), as_of, has_time_limit=False
            )
        version = self._query_version("version_at_time", account_id, at=as_of)
        # Events of other streams with times up to `as_of` were recorded before this version, even with MAX_CLOCK_SKEW.
        first_later_version = (
            self._query_version("version_at_time", account_id, at=min(as_of, END_OF_TIME) + MAX_CLOCK_SKEW) + 1
        )
        first_later_position = self._position_of(account_id, first_later_version)
        max_position = self._settled_position() if first_later_position is None else first_later_position
        return Bound(version, max_position, as_of, has_time_limit=True)

    def _resume(self, account_id: UUID, history_filter: HistoryFilter, cursor: str) -> tuple[Bound, Cursor]:
        """Return the bound and the reader's cursor that a page's cursor contains."""
        position, version, max_position, max_version, as_of = self._cursors.read(
            history_filter.cursor_scope(account_id), cursor
        )
        reader_cursor = Cursor(position, version, self._account_at(account_id, version, history_filter.sub_user_id))
        has_time_limit = history_filter.as_of is not None
        return Bound(max_version, max_position, datetime.fromisoformat(as_of), has_time_limit), reader_cursor

    def _state(self, account_id: UUID, bound: Bound, history_filter: HistoryFilter) -> AccountState | None:
        account = self._account_at(account_id, bound.max_version, history_filter.sub_user_id)
        return _state(account, bound, history_filter, self._source.vault)

    def _account_at(self, account_id: UUID, version: int, sub_user_id: UUID | None) -> MainAccount | None:
        """Return the account at a version, built from events only.

        With a sub-user the result is exact for that sub-user, but lacks the last logins and mails of others.
        """
        if sub_user_id is None:
            return self._whole_account_at(account_id, version)
        account = self._aggregate_cache.nearest(account_id, version, sub_user_id)
        position = self._position_of(account_id, account.version) if account is not None else 0
        parameters = {
            "account_id": account_id,
            "sub_user_id": sub_user_id,
            "max_position": self._position_of(account_id, version),
            "limit": REPLAY_BATCH,
        }
        while rows := self._source.rows("state_events_about", **parameters, after_position=position):
            for row in rows:
                account = apply_after_gap(account, cast("Event", self._source.event(row)))
            position = rows[-1]["position"]
        if account is not None:
            account.version = version
            self._aggregate_cache.put(account, sub_user_id)
        return account

    def _whole_account_at(self, account_id: UUID, version: int) -> MainAccount | None:
        account = self._aggregate_cache.nearest(account_id, version)
        replayed_version = account.version if account is not None else 0
        while replayed_version < version:
            parameters = {
                "account_id": account_id,
                "after_version": replayed_version,
                "max_version": version,
                "limit": REPLAY_BATCH,
            }
            rows = self._source.rows("stream", **parameters)
            for row in rows:
                account = cast("MainAccount", cast("Event", self._source.event(row)).mutate(account))
            replayed_version += len(rows)
        if account is not None:
            self._aggregate_cache.put(account)
        return account

    def _query_version(self, statement: str, account_id: UUID, **parameters: Any) -> int:
        (row,) = self._source.rows(statement, account_id=account_id, **parameters)
        return int(row["version"])

    def _position_of(self, account_id: UUID, version: int) -> int | None:
        rows = self._source.rows("position_of", account_id=account_id, version=version)
        return int(rows[0]["position"]) if rows else None

    def _version_at_position(self, account_id: UUID, position: int) -> int:
        rows = self._source.rows("version_at_position", account_id=account_id, position=position)
        return int(rows[0]["version"]) if rows else 0

    def _audit_log_position(self) -> int:
        (row,) = self._source.rows("view_position")
        return int(row["position"])

    def _settled_position(self) -> int:
        with self._source.database.get_connection() as connection:
            return settled_position(connection)


def _read_page(reader: HistoryReader, limit: int) -> tuple[list[HistoryEntry], bool]:
    """Return the next entries, at most `limit`, and whether there may be more."""
    entries: list[HistoryEntry] = []
    for read_count, entry in enumerate(reader.entries(), 1):
        if entry is not None:
            entries.append(entry)
        if len(entries) == limit:
            return entries, reader.has_more()
        if read_count == WINDOW_SIZE:
            return entries, True
    return entries, False


def _state(
    account: MainAccount | None, bound: Bound, history_filter: HistoryFilter, vault: Vault
) -> AccountState | None:
    if account is None:
        return None
    entries = vault.entries([account.id, *account.sub_users])
    return account_state(account, bound.as_of, entries, history_filter.sub_user_id)
