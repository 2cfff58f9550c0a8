"""What is read of the audit log: where each fact stands comes from the view, the fact itself from the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from eventsourcing.persistence import StoredEvent
from psycopg import sql

from domain.refusals import AccountNotFound
from projections.audit_rows import Recorded, audit_row, people_of, place_of
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg.rows import DictRow

    from application.ports import Vault
    from projections.audit_rows import AuditRow
    from projections.cursors import Cursors
    from projections.freshness import Database, Freshness

SQL = statements("projections", "audit_queries")

STREAMED_AT_A_TIME = 500

MOST_ACTIONS = 500
"""An account has some dozens; should its portal put numbers into the words for activities, a choice has to end."""


@dataclass(frozen=True)
class AuditFilter:
    """Which rows to read; None leaves nothing out. `since` is included, `until` is not."""

    sub_user_id: UUID | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def scope(self, account_id: UUID) -> list[str]:
        """Return what a cursor of this list is bound to."""
        return [str(part) for part in (account_id, self.sub_user_id, self.action, self.since, self.until)]


class AuditQueries:
    """Reads the audit log of an account, newest first, once the view has all that was settled before."""

    def __init__(
        self, database: Database, freshness: Freshness, cursors: Cursors, mapper: Mapper[UUID], vault: Vault
    ) -> None:
        self._database = database
        self._freshness = freshness
        self._cursors = cursors
        self._mapper = mapper
        self._vault = vault

    def page(
        self, account_id: UUID, wanted: AuditFilter, limit: int, cursor: str | None, at_least: int | None = None
    ) -> tuple[list[AuditRow], str | None]:
        """Return a page, and the cursor of the next if there is more. Raises `AccountNotFound`, `InvalidValue`."""
        before = self._cursors.read(wanted.scope(account_id), cursor)[0] if cursor else None
        self._require_fresh(account_id, at_least)
        rows = self._rows(account_id, wanted, limit + 1, before)
        shown = self._shown(account_id, rows[:limit])
        more = len(rows) > limit
        return shown, self._cursors.write(wanted.scope(account_id), [shown[-1].position]) if more else None

    def stream(
        self, account_id: UUID, wanted: AuditFilter, at_least: int | None = None, note: Callable[[], int] | None = None
    ) -> Iterator[AuditRow]:
        """Return every row there is, holding but a few at a time. Raises `AccountNotFound` before the first.

        That it is read is recorded by `note` once it can be, and at the position that it returns: what comes from
        there on is left out.
        """
        self._require_fresh(account_id, at_least)
        return self._streamed(account_id, wanted, note() if note is not None else None)

    def older(self, account_id: UUID, sub_user_id: UUID, before: int | None = None) -> Iterator[AuditRow]:
        """Return what has left the log by its retention of what it told of a sub-user, newest first."""
        wanted: dict[str, object] = {"account_id": account_id, "limit": STREAMED_AT_A_TIME, "before": before}
        while True:
            with self._database.get_connection() as connection:
                rows = connection.execute(SQL["list_older"], wanted).fetchall()
            if not rows:
                return
            yield from (row for row in self._shown(account_id, rows) if row.sub_user_id == sub_user_id)
            wanted["before"] = rows[-1]["position"]

    def actions(self, account_id: UUID) -> list[str]:
        """Return the actions that occur in an account, each once, sorted, 500 at most. Raises `AccountNotFound`."""
        self._require_fresh(account_id, None)
        wanted = {"account_id": account_id, "limit": MOST_ACTIONS}
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["actions"], wanted, prepare=True).fetchall()
        return sorted(row["action"] for row in rows)

    def _streamed(self, account_id: UUID, wanted: AuditFilter, before: int | None) -> Iterator[AuditRow]:
        while rows := self._rows(account_id, wanted, STREAMED_AT_A_TIME, before):
            yield from self._shown(account_id, rows)
            before = rows[-1]["position"]

    def _require_fresh(self, account_id: UUID, at_least: int | None) -> None:
        self._freshness.of_account(account_id, at_least)
        self._freshness.of_view("audit-log")
        if at_least is not None:
            self._freshness.of_view("audit-log", at_least)

    def _rows(self, account_id: UUID, wanted: AuditFilter, limit: int, before: int | None) -> list[DictRow]:
        where = [sql.SQL("a.account_id = %(account_id)s")]
        if wanted.sub_user_id is not None:
            where.append(sql.SQL("a.sub_user_id = %(sub_user_id)s"))
        if wanted.action is not None:
            where.append(sql.SQL("a.action = %(action)s"))
        if wanted.since is not None:
            where.append(sql.SQL("a.occurred_at >= %(since)s"))
        if wanted.until is not None:
            where.append(sql.SQL("a.occurred_at < %(until)s"))
        if before is not None:
            where.append(sql.SQL("a.position < %(before)s"))
        parameters = {**vars(wanted), "account_id": account_id, "before": before, "limit": limit}
        query = sql.SQL(SQL["list_rows"]).format(where=sql.SQL(" AND ").join(where))
        timeless = wanted.since is None and wanted.until is None
        with self._database.get_connection() as connection:
            # Between two times the best plan depends on how long that is: such a statement is planned each time.
            return connection.execute(query, parameters, prepare=timeless).fetchall()

    def _shown(self, account_id: UUID, rows: Sequence[DictRow]) -> list[AuditRow]:
        found = [(row["position"], self._event(row)) for row in rows]
        placed = [(position, event, place_of(event)) for position, event in found]
        entries = self._vault.entries(list({person for _, _, place in placed for person in people_of(place)}))
        names = self._names(account_id)
        return [audit_row(position, event, place, entries, names) for position, event, place in placed]

    def _event(self, row: DictRow) -> Recorded:
        stored = StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
        return cast("Recorded", self._mapper.to_domain_event(stored))

    def _names(self, account_id: UUID) -> dict[str, str]:
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["find_names"], {"account_id": account_id}, prepare=True).fetchall()
        if not rows:
            raise AccountNotFound
        return {row["id"]: row["name"] for row in rows}
