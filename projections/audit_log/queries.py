"""Queries of the audit log. The view provides the positions of events, and the event store the events themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from eventsourcing.persistence import StoredEvent
from psycopg import sql

from adapters.postgres.sql_files import statements
from domain.refusals import AccountNotFound
from projections.audit_log.conditions import Order, conditions
from projections.audit_log.held_names import held_names
from projections.audit_log.role_names import role_names
from projections.audit_log.rows import audit_row, index_entry_of, person_ids_of
from projections.audit_log.target_search import TargetSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg.rows import DictRow

    from application.pagination_cursors import Cursors
    from application.ports.vault import Vault
    from domain.events import AnyEvent
    from projections.audit_log.conditions import AuditFilter, Conditions
    from projections.audit_log.rows import AuditRow
    from projections.runtime.freshness import Database, Freshness

SQL = statements("projections.audit_log", "queries")

STREAM_BATCH = 2000
"""Rows read at a time: a few megabytes. Each batch also reads the names and the data keys of the account."""

MAX_ACTIONS = 500
"""Limit of the list of actions. An account has dozens, unless its portal puts numbers into the names of activities."""


ORDER_BY = {
    Order.POSITION: sql.SQL("a.position DESC"),
    Order.OCCURRED_AT: sql.SQL("a.occurred_at DESC, a.position DESC"),
}
BEFORE = {
    Order.POSITION: "a.position < %(before)s",
    Order.OCCURRED_AT: "(a.occurred_at, a.position) < (%(before_time)s::timestamptz, %(before)s)",
}


class AuditQueries:
    """Reads an account's audit log, newest first, once the view contains every event recorded before the request."""

    def __init__(
        self, database: Database, freshness: Freshness, cursors: Cursors, mapper: Mapper[UUID], vault: Vault
    ) -> None:
        self._database = database
        self._freshness = freshness
        self._cursors = cursors
        self._mapper = mapper
        self._vault = vault
        self._target_search = TargetSearch(database, vault)

    def page(
        self,
        account_id: UUID,
        audit_filter: AuditFilter,
        limit: int,
        cursor: str | None,
        min_position: int | None = None,
    ) -> tuple[list[AuditRow], str | None]:
        """Return a page, and the cursor of the next one, if any. Raises `AccountNotFound`, `InvalidValue`."""
        scope, order = audit_filter.cursor_scope(account_id), audit_filter.order
        before = self._cursors.read(scope, cursor) if cursor else None
        self._require_fresh(account_id, min_position)
        selected = conditions(account_id, self.with_matches(account_id, audit_filter))
        rows = self._rows(selected, order, limit + 1, before)
        items = self._audit_rows(account_id, rows[:limit])
        has_more = len(rows) > limit
        return items, self._cursors.write(scope, _sort_values(rows[limit - 1], order)) if has_more else None

    def stream(
        self,
        account_id: UUID,
        audit_filter: AuditFilter,
        min_position: int | None = None,
        record_access: Callable[[], int] | None = None,
    ) -> Iterator[AuditRow]:
        """Yield every row, with only one batch in memory. Raises `AccountNotFound` at once, not when iterated.

        `record_access` is called once the log can be read. It records this access, and returns the position of that
        event: the event and all later ones are left out.
        """
        self._require_fresh(account_id, min_position)
        selected = conditions(account_id, self.with_matches(account_id, audit_filter))
        if record_access is not None:
            selected = selected.and_also("a.position < %(access_position)s", access_position=record_access())
        return self._stream_rows(account_id, selected, audit_filter.order)

    def with_matches(self, account_id: UUID, audit_filter: AuditFilter) -> AuditFilter:
        """Return a filter with what its text is found in, so that several queries search for it once."""
        if audit_filter.text is None or audit_filter.matches is not None:
            return audit_filter
        self._require_fresh(account_id, None)
        return replace(audit_filter, matches=self._target_search.find(account_id, audit_filter.text))

    def rows_past_retention(self, account_id: UUID, sub_user_id: UUID, before: int | None = None) -> Iterator[AuditRow]:
        """Yield the rows about a sub-user that are older than the log's retention, newest first."""
        parameters: dict[str, object] = {
            "account_id": account_id,
            "sub_user_id": sub_user_id,
            "limit": STREAM_BATCH,
            "before": before,
        }
        while True:
            with self._database.get_connection() as connection:
                rows = connection.execute(SQL["list_older"], parameters).fetchall()
            if not rows:
                return
            yield from self._audit_rows(account_id, rows)
            parameters["before"] = rows[-1]["position"]

    def name_of(self, account_id: UUID, sub_user_id: UUID) -> str | None:
        """Return the name of a sub-user, also if they are deleted under a legal hold. Raises `AccountNotFound`."""
        names = self._names(account_id)
        return (names | held_names(self._database, self._vault.entries([sub_user_id]), names)).get(str(sub_user_id))

    def actions(self, account_id: UUID) -> list[str]:
        """Return the sorted distinct actions of an account, at most 500. Raises `AccountNotFound`."""
        self._require_fresh(account_id, None)
        parameters = {"account_id": account_id, "limit": MAX_ACTIONS}
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["actions"], parameters, prepare=True).fetchall()
        return sorted(row["action"] for row in rows)

    def beginning(self, account_id: UUID) -> datetime:
        """Return when the account was registered, or the time of its first event if that is earlier.

        Raises `AccountNotFound`.
        """
        self._require_fresh(account_id, None)
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["beginning"], {"account_id": account_id}, prepare=True).fetchone()
        if row is None:
            raise AccountNotFound
        beginning: datetime = row["beginning"]
        return beginning

    def _stream_rows(self, account_id: UUID, selected: Conditions, order: Order) -> Iterator[AuditRow]:
        before: list[Any] | None = None
        while rows := self._rows(selected, order, STREAM_BATCH, before):
            yield from self._audit_rows(account_id, rows)
            before = _sort_values(rows[-1], order)

    def _require_fresh(self, account_id: UUID, min_position: int | None) -> None:
        self._freshness.wait_for_account(account_id, min_position)
        self._freshness.wait_for_view("audit-log")
        if min_position is not None:
            self._freshness.wait_for_view("audit-log", min_position)

    def _rows(self, selected: Conditions, order: Order, limit: int, before: list[Any] | None) -> list[DictRow]:
        """Return rows after the one with these sort values."""
        if before is not None:
            names = ("before_time", "before") if order is Order.OCCURRED_AT else ("before",)
            selected = selected.and_also(BEFORE[order], **dict(zip(names, before, strict=True)))
        query = sql.SQL(SQL["list_rows"]).format(where=selected.where, order=ORDER_BY[order])
        is_time_unbounded = selected.parameters["since"] is None and selected.parameters["until"] is None
        # The best plan depends on the length of the period, so statements with a period are planned each time.
        is_prepared = order is Order.POSITION and is_time_unbounded
        with self._database.get_connection() as connection:
            return connection.execute(query, {**selected.parameters, "limit": limit}, prepare=is_prepared).fetchall()

    def _audit_rows(self, account_id: UUID, rows: Sequence[DictRow]) -> list[AuditRow]:
        events = [(row["position"], self._event(row)) for row in rows]
        indexed = [(position, event, index_entry_of(event)) for position, event in events]
        entries = self._vault.entries(
            list({id_ for _, _, index_entry in indexed for id_ in person_ids_of(index_entry)})
        )
        names = self._names(account_id)
        names |= held_names(self._database, entries, names)
        names |= role_names(self._database, self._mapper, entries, [event for _, event in events])
        return [audit_row(position, event, index_entry, entries, names) for position, event, index_entry in indexed]

    def _event(self, row: DictRow) -> AnyEvent:
        stored = StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
        return cast("AnyEvent", self._mapper.to_domain_event(stored))

    def _names(self, account_id: UUID) -> dict[str, str]:
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["find_names"], {"account_id": account_id}, prepare=True).fetchall()
        if not rows:
            raise AccountNotFound
        return {row["id"]: row["name"] for row in rows}


def _sort_values(row: DictRow, order: Order) -> list[Any]:
    """Return what a cursor after a row contains."""
    if order is Order.OCCURRED_AT:
        return [row["occurred_at"].isoformat(), row["position"]]
    return [row["position"]]
