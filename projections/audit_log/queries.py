"""Queries of the audit log. The view provides the positions of events, and the event store the events themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from eventsourcing.persistence import StoredEvent
from psycopg import sql

from adapters.postgres.sql_files import statements
from domain.refusals import AccountNotFound
from projections.audit_log.held_names import held_names
from projections.audit_log.role_names import role_names
from projections.audit_log.rows import audit_row, index_entry_of, person_ids_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg.rows import DictRow

    from application.pagination_cursors import Cursors
    from application.ports.vault import Vault
    from domain.event_metadata import ActorType
    from domain.events import AnyEvent
    from projections.audit_log.rows import AuditRow
    from projections.runtime.freshness import Database, Freshness

SQL = statements("projections.audit_log", "queries")

STREAM_BATCH = 500

MAX_ACTIONS = 500
"""Limit of the list of actions. An account has dozens, unless its portal puts numbers into the names of activities."""


@dataclass(frozen=True)
class AuditFilter:
    """Which rows to read, from `since` on and before `until`. None, or no actions, means no limit."""

    sub_user_id: UUID | None = None
    actions: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    actor_type: ActorType | None = None
    actor_id: str | None = None

    def cursor_scope(self, account_id: UUID) -> list[str]:
        """Return the values that a cursor of this list is bound to."""
        return [str(part) for part in (account_id, *vars(self).values())]


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

    def page(
        self,
        account_id: UUID,
        audit_filter: AuditFilter,
        limit: int,
        cursor: str | None,
        min_position: int | None = None,
    ) -> tuple[list[AuditRow], str | None]:
        """Return a page, and the cursor of the next one, if any. Raises `AccountNotFound`, `InvalidValue`."""
        before = self._cursors.read(audit_filter.cursor_scope(account_id), cursor)[0] if cursor else None
        self._require_fresh(account_id, min_position)
        rows = self._rows(account_id, audit_filter, limit + 1, before)
        items = self._audit_rows(account_id, rows[:limit])
        has_more = len(rows) > limit
        return items, self._cursors.write(
            audit_filter.cursor_scope(account_id), [items[-1].position]
        ) if has_more else None

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
        return self._stream_rows(account_id, audit_filter, record_access() if record_access is not None else None)

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

    def _stream_rows(self, account_id: UUID, audit_filter: AuditFilter, before: int | None) -> Iterator[AuditRow]:
        while rows := self._rows(account_id, audit_filter, STREAM_BATCH, before):
            yield from self._audit_rows(account_id, rows)
            before = rows[-1]["position"]

    def _require_fresh(self, account_id: UUID, min_position: int | None) -> None:
        self._freshness.wait_for_account(account_id, min_position)
        self._freshness.wait_for_view("audit-log")
        if min_position is not None:
            self._freshness.wait_for_view("audit-log", min_position)

    def _rows(self, account_id: UUID, audit_filter: AuditFilter, limit: int, before: int | None) -> list[DictRow]:
        where = [sql.SQL("a.account_id = %(account_id)s")]
        if audit_filter.sub_user_id is not None:
            where.append(sql.SQL("a.sub_user_id = %(sub_user_id)s"))
        if len(audit_filter.actions) == 1:
            where.append(sql.SQL("a.action = %(action)s"))  # the index has the rows of one action in their order
        elif audit_filter.actions:
            where.append(sql.SQL("a.action = ANY(%(actions)s)"))
        if audit_filter.actor_type is not None:
            where.append(sql.SQL("a.actor_type = %(actor_type)s"))
        if audit_filter.actor_id is not None:
            where.append(sql.SQL("a.actor_id = %(actor_id)s"))
        if audit_filter.since is not None:
            where.append(sql.SQL("a.occurred_at >= %(since)s"))
        if audit_filter.until is not None:
            where.append(sql.SQL("a.occurred_at < %(until)s"))
        if before is not None:
            where.append(sql.SQL("a.position < %(before)s"))
        parameters = {
            **vars(audit_filter),
            "actions": list(audit_filter.actions),
            "action": next(iter(audit_filter.actions), None),
            "account_id": account_id,
            "before": before,
            "limit": limit,
        }
        query = sql.SQL(SQL["list_rows"]).format(where=sql.SQL(" AND ").join(where))
        is_time_unbounded = audit_filter.since is None and audit_filter.until is None
        with self._database.get_connection() as connection:
            # The best plan depends on the length of the period, so statements with a period are planned each time.
            return connection.execute(query, parameters, prepare=is_time_unbounded).fetchall()

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
