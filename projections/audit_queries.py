"""What is read of the audit log: where each fact stands comes from the view, the fact itself from the history."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, cast

from eventsourcing.persistence import StoredEvent
from psycopg import sql

from application.resources import ERASED
from domain import events
from domain.cause import ActorType
from domain.refusals import AccountNotFound
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg.rows import DictRow

    from application.ports import Vault, VaultEntry
    from projections.cursors import Cursors
    from projections.freshness import Database, Freshness

SQL = statements("projections", "audit_queries")

STREAMED_AT_A_TIME = 500

MOST_ACTIONS = 500
"""An account has some dozens; should its portal put numbers into the words for activities, a choice has to end."""

NOT_DETAILS = frozenset(
    {"originator_id", "originator_version", "originator_topic", "timestamp", "sub_user_id", "account_id", "email_hash"}
    | {"actor_type", "actor_id", "request_id", "ip", "user_agent", "reason", "action", "target", "occurred_at"}
)
"""Fields that have a place of their own in a row, or that mean nothing outside."""


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


@dataclass(frozen=True)
class AuditRow:
    """One thing that happened. `details` holds what only this kind of event has."""

    position: int
    occurred_at: datetime
    recorded_at: datetime
    action: str
    actor: dict[str, str | None]
    sub_user_id: UUID | None
    target: str | None
    ip: str | None
    user_agent: str | None
    reason: str | None
    details: Any


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

    def stream(self, account_id: UUID, wanted: AuditFilter, at_least: int | None = None) -> Iterator[AuditRow]:
        """Return every row there is, holding but a few at a time. Raises `AccountNotFound` before the first."""
        self._require_fresh(account_id, at_least)
        return self._streamed(account_id, wanted)

    def actions(self, account_id: UUID) -> list[str]:
        """Return the actions that occur in an account, each once, sorted, 500 at most. Raises `AccountNotFound`."""
        self._require_fresh(account_id, None)
        wanted = {"account_id": account_id, "limit": MOST_ACTIONS}
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["actions"], wanted, prepare=True).fetchall()
        return sorted(row["action"] for row in rows)

    def _streamed(self, account_id: UUID, wanted: AuditFilter) -> Iterator[AuditRow]:
        before: int | None = None
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
        decoded = [
            self._mapper.to_domain_event(
                StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
            )
            for row in rows
        ]
        people = {account_id} | {row["sub_user_id"] for row in rows if row["sub_user_id"] is not None}
        entries = self._vault.entries(list(people))
        names = self._names(account_id)
        return [
            _row(row, cast("events.Event", event), entries, names) for row, event in zip(rows, decoded, strict=True)
        ]

    def _names(self, account_id: UUID) -> dict[str, str]:
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["find_names"], {"account_id": account_id}, prepare=True).fetchall()
        if not rows:
            raise AccountNotFound
        return {row["id"]: row["name"] for row in rows}


def _row(row: DictRow, event: events.Event, entries: Mapping[UUID, VaultEntry], names: Mapping[str, str]) -> AuditRow:
    opened = {name: _opened(event, name, entries) for name in _sealed_fields(type(event))}
    is_activity = isinstance(event, events.SubUserActivityRecorded)
    details = (
        _details_of_activity(opened["details"])
        if is_activity
        else {name: opened.get(name, value) for name, value in vars(event).items() if _is_detail(name, value)}
    )
    return AuditRow(
        position=row["position"],
        occurred_at=row["occurred_at"],
        recorded_at=event.timestamp,
        action=row["action"],
        actor=_actor(event, names),
        sub_user_id=row["sub_user_id"],
        target=opened.get("target"),
        ip=opened.get("ip"),
        user_agent=opened.get("user_agent"),
        reason=opened.get("reason"),
        details=details,
    )


def _is_detail(name: str, value: object) -> bool:
    return name not in NOT_DETAILS and value is not None


def _details_of_activity(text: str | None) -> Any:
    return json.loads(text) if text is not None and text != ERASED else text


def _actor(event: events.Event | events.ReportedEvent, names: Mapping[str, str]) -> dict[str, str | None]:
    if isinstance(event, events.ReportedEvent):
        actor_type, actor_id = str(ActorType.SUB_USER), str(event.sub_user_id)
    else:
        actor_type, actor_id = str(event.actor_type), event.actor_id or ""
    name = names.get(actor_id)
    if name is None and actor_type == ActorType.SUB_USER:
        name = ERASED
    return {"type": actor_type, "id": actor_id or None, "name": name}


def _sealed_fields(event_class: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(event_class) if "Sealed" in str(field.type))


def _opened(event: Any, name: str, entries: Mapping[UUID, VaultEntry]) -> str | None:
    sealed = getattr(event, name)
    if sealed is None:
        return None
    entry = entries.get(event.sealed_for(name))
    return ERASED if entry is None else entry.key.open(name, sealed)
