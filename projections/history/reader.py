"""Reader of an account's history: each entry together with the state of the account before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from eventsourcing.persistence import StoredEvent

from adapters.postgres.sql_files import statements
from application.commands.resources import ERASED
from domain import events
from projections.audit_log.held_names import held_names
from projections.audit_log.rows import audit_row, index_entry_of, person_ids_of
from projections.history.account_state import decrypt_field
from projections.history.state_diff import changed_fields, subject_fields

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg.rows import DictRow

    from application.ports.vault import Vault, VaultEntry
    from domain.events import AnyEvent
    from domain.main_account import MainAccount
    from projections.audit_log.rows import AuditIndexEntry, AuditRow
    from projections.history.state_diff import Change
    from projections.runtime.freshness import Database

SQL = statements("projections.history", "queries")

ENTRY_BATCH = 300
"""Events read at a time to become entries, with an audit row and the state before and after."""

STATE_EVENT_BATCH = 1000
"""Events read at a time that are only applied to the account."""


@dataclass(frozen=True)
class HistoryEntry:
    """One event of an account's history, in readable form.

    `version` is the version in the account's own stream, or None for an event of another stream. `subject_name` is the
    name of its sub-user at that time.
    """

    row: AuditRow
    version: int | None
    event: str
    request_id: str | None
    subject_name: str | None
    changes: Mapping[str, Change]


@dataclass(frozen=True)
class Bound:
    """Where a history ends: at a version of the account's own stream, at a position, and at a moment.

    Queries end at `max_position`. Events up to there can still be beyond the bound (`excludes`). A history up to the
    present has no time limit: the clock of the process that recorded an event may be ahead of this one's.
    """

    max_version: int
    max_position: int
    as_of: datetime
    has_time_limit: bool

    def excludes(self, event: AnyEvent) -> bool:
        """Return whether an event up to `max_position` is beyond this bound."""
        if _is_in_account_stream(event):
            return event.originator_version > self.max_version
        return self.has_time_limit and event.timestamp > self.as_of


@dataclass
class Cursor:
    """How far the history has been read, and the account at that point."""

    position: int = 0
    version: int = 0
    account: MainAccount | None = None


@dataclass(frozen=True)
class EventSource:
    """The stored events, with the mapper and the vault needed to decode and decrypt them."""

    database: Database
    mapper: Mapper[UUID]
    vault: Vault

    def rows(self, statement: str, **parameters: Any) -> Sequence[DictRow]:
        """Return the rows of a named statement."""
        with self.database.get_connection() as connection:
            return connection.execute(SQL[statement], parameters, prepare=True).fetchall()

    def event(self, row: DictRow) -> AnyEvent:
        """Return the event stored in a row."""
        stored = StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
        return cast("AnyEvent", self.mapper.to_domain_event(stored))


class HistoryReader:
    """Reads the history of an account, or one sub-user's part of it, in batches up to a bound.

    Iterate `entries` once: it advances the cursor with each entry. After the last one, `apply_remaining` brings the
    account in the cursor to the bound.

    For one sub-user it applies the events that the account's state depends on and all events about the sub-user. It
    does not read the other events of the stream, mostly logins of other sub-users.
    """

    def __init__(
        self, source: EventSource, account_id: UUID, bound: Bound, cursor: Cursor, sub_user_id: UUID | None = None
    ) -> None:
        self._source = source
        self._account_id = account_id
        self._sub_user_id = sub_user_id
        self._fetched_position = 0
        self.bound = bound
        self.cursor = cursor

    def entries(self) -> Iterator[HistoryEntry | None]:
        """Yield an entry for each event after the cursor, or None for an event beyond the bound."""
        while stored_rows := self._next_rows():
            self._fetched_position = stored_rows[-1]["position"]
            yield from self._entries_of(stored_rows)

    def has_more(self) -> bool:
        """Return whether `entries` would yield anything after the cursor."""
        return self.cursor.position < self._fetched_position or bool(self._next_rows())

    def apply_remaining(self) -> None:
        """Apply the events between the last entry and the bound."""
        if self._sub_user_id is None:
            return
        for stored_row in self._state_events(self.bound.max_position):
            self._apply(cast("events.Event", self._source.event(stored_row)))
        if self.cursor.account is not None:
            # The events that were skipped, such as logins of others, count in the version too.
            self.cursor.account.version = self.bound.max_version

    def _next_rows(self) -> Sequence[DictRow]:
        return self._source.rows(
            "entries" if self._sub_user_id is None else "entries_about",
            account_id=self._account_id,
            sub_user_id=self._sub_user_id,
            after_version=self.cursor.version,
            max_version=self.bound.max_version,
            after_position=self.cursor.position,
            max_position=self.bound.max_position,
            limit=ENTRY_BATCH,
        )

    def _entries_of(self, stored_rows: Sequence[DictRow]) -> Iterator[HistoryEntry | None]:
        decoded = {stored_row["position"]: self._source.event(stored_row) for stored_row in stored_rows}
        index_entries = {position: index_entry_of(event) for position, event in decoded.items()}
        person_ids = {
            self._account_id,
            *(person_id for index_entry in index_entries.values() for person_id in person_ids_of(index_entry)),
        }
        vault_entries = self._source.vault.entries(list(person_ids))
        names = {api_key_row["id"]: api_key_row["name"] for api_key_row in self._source.rows("api_key_names")}
        names |= held_names(self._source.database, vault_entries, [str(self._account_id)])
        for stored_row in self._with_skipped_state_events(stored_rows, decoded):
            position = stored_row["position"]
            if position not in decoded:
                self._apply(cast("events.Event", self._source.event(stored_row)))
                continue
            event = decoded[position]
            self.cursor.position = position
            if self.bound.excludes(event):
                yield None
            else:
                yield self._entry(stored_row, event, index_entries[position], vault_entries, names)

    def _with_skipped_state_events(
        self, stored_rows: Sequence[DictRow], listed_positions: Container[int]
    ) -> Iterable[DictRow]:
        """Return the rows together with the state events between them, by position.

        `entries_about` lists only events about the sub-user, but their changes depend on the whole account's state.
        """
        if self._sub_user_id is None:
            return stored_rows
        state_events = self._state_events(stored_rows[-1]["position"])
        skipped_state_events = (
            state_row for state_row in state_events if state_row["position"] not in listed_positions
        )
        return merge(stored_rows, skipped_state_events, key=itemgetter("position"))

    def _state_events(self, max_position: int) -> Iterator[DictRow]:
        """Yield the events up to a position that change the account's state, of any sub-user."""
        after_position = self.cursor.position
        parameters = {"account_id": self._account_id, "max_position": max_position, "limit": STATE_EVENT_BATCH}
        while state_rows := self._source.rows("state_events", **parameters, after_position=after_position):
            yield from state_rows
            after_position = state_rows[-1]["position"]

    def _apply(self, event: events.Event) -> None:
        if not self.bound.excludes(event):
            self.cursor.account = apply_after_gap(self.cursor.account, event)
            self.cursor.version = event.originator_version

    def _entry(
        self,
        stored_row: DictRow,
        event: AnyEvent,
        index_entry: AuditIndexEntry,
        vault_entries: Mapping[UUID, VaultEntry],
        names: Mapping[str, str],
    ) -> HistoryEntry:
        before, at, subject_id = self.cursor.account, event.timestamp, index_entry.sub_user_id
        role_id = getattr(event, "role_id", None)
        # `_apply` changes the account in place, so read the state before it first.
        fields_before, names_before = (
            subject_fields(before, subject_id, at),
            names_in(before, subject_id, vault_entries, role_id),
        )
        if isinstance(event, events.Event):
            self._apply(event)
        after = self.cursor.account
        all_names = {**names, **names_in(after, subject_id, vault_entries, role_id), **names_before}
        return HistoryEntry(
            row=audit_row(stored_row["position"], event, index_entry, vault_entries, all_names),
            version=event.originator_version if _is_in_account_stream(event) else None,
            event=stored_row["topic"],
            request_id=getattr(event, "request_id", None),
            subject_name=all_names.get(str(subject_id)),
            changes=changed_fields(
                fields_before, subject_fields(after, subject_id, at), vault_entries.get(subject_id or self._account_id)
            )
            if _is_in_account_stream(event)
            else {},
        )


def apply_after_gap(account: MainAccount | None, event: events.Event) -> MainAccount:
    """Apply an event to an account although some events between its version and this one were skipped."""
    if account is not None:
        account.version = event.originator_version - 1
    return cast("MainAccount", event.mutate(account))


def names_in(
    account: MainAccount | None,
    sub_user_id: UUID | None,
    vault_entries: Mapping[UUID, VaultEntry],
    role_id: UUID | None = None,
) -> dict[str, str]:
    """Return the company name, and the names of a sub-user and a role in this state of the account, by id as text."""
    if account is None:
        return {}
    names = {str(account.id): decrypt_field(vault_entries.get(account.id), "company_name", account.company_name)}
    role = account.roles.get(role_id) if role_id is not None else None
    if role is not None:
        names[str(role.role_id)] = decrypt_field(vault_entries.get(account.id), "name", role.name)
    sub_user = account.sub_users.get(sub_user_id) if sub_user_id is not None else None
    if sub_user is not None:
        vault_entry = vault_entries.get(sub_user.sub_user_id)
        full_name = [
            decrypt_field(vault_entry, "name", sub_user.name),
            decrypt_field(vault_entry, "surname", sub_user.surname),
        ]
        names[str(sub_user.sub_user_id)] = " ".join(full_name) if vault_entry is not None else ERASED
    return names


def _is_in_account_stream(event: AnyEvent) -> bool:
    return isinstance(event, events.Event)
