"""A walk through an account's history, from one event to the next, with the account as it was at each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from eventsourcing.persistence import StoredEvent

from application.resources import ERASED
from domain import events
from projections.account_states import opened
from projections.audit_rows import audit_row, people_of, place_of
from projections.changes import changes, seen
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg.rows import DictRow

    from application.ports import Vault, VaultEntry
    from domain.main_account import MainAccount
    from projections.audit_rows import AuditRow, Place, Recorded
    from projections.changes import Change
    from projections.freshness import Database

SQL = statements("projections", "history")

READ_AT_A_TIME = 300


@dataclass(frozen=True)
class HistoryEntry:
    """One thing that happened. `version` is its place in the account's own stream, if it stands there.

    `whom` is what the sub-user was called then whom it is about.
    """

    row: AuditRow
    version: int | None
    event: str
    request_id: str | None
    whom: str | None
    changes: Mapping[str, Change]


@dataclass(frozen=True)
class Cut:
    """How far a history is told: so much of the account's own stream, nothing beyond a position, as of a moment.

    Of the present nothing is left out by its time: the clock of whoever recorded it may be ahead of this one.
    """

    version: int
    position: int
    at: datetime
    by_time: bool

    def leaves_out(self, event: Recorded) -> bool:
        """Say whether an event was recorded later."""
        if _is_own(event):
            return event.originator_version > self.version
        return self.by_time and event.timestamp > self.at


@dataclass
class Reached:
    """How far the walk has come, and the account as it was then."""

    position: int = 0
    version: int = 0
    account: MainAccount | None = None


@dataclass(frozen=True)
class Source:
    """Where the history is read, and what it takes to understand and to open it."""

    database: Database
    mapper: Mapper[UUID]
    vault: Vault

    def rows(self, statement: str, **wanted: Any) -> Sequence[DictRow]:
        """Return what a statement finds."""
        with self.database.get_connection() as connection:
            return connection.execute(SQL[statement], wanted, prepare=True).fetchall()

    def event(self, row: DictRow) -> Recorded:
        """Return the event that a row holds."""
        stored = StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
        return cast("Recorded", self.mapper.to_domain_event(stored))


class Walk:
    """Goes through a history up to its cut, reading some of it at a time."""

    def __init__(self, source: Source, account_id: UUID, cut: Cut, reached: Reached) -> None:
        self._source = source
        self._account_id = account_id
        self.cut = cut
        self.reached = reached

    def next_steps(self) -> Sequence[DictRow]:
        """Return the next events as they are stored; none at the end."""
        return self._source.rows(
            "entries",
            account_id=self._account_id,
            version=self.reached.version,
            upto_version=self.cut.version,
            position=self.reached.position,
            upto=self.cut.position,
            limit=READ_AT_A_TIME,
        )

    def go(self, steps: Sequence[DictRow], sub_user_id: UUID | None = None) -> Iterator[HistoryEntry | None]:
        """Take one step after the other, and tell of each; None of what is not wanted, or was recorded later."""
        events_of_steps = [self._source.event(row) for row in steps]
        places = [place_of(event) for event in events_of_steps]
        people = {self._account_id, *(one for place in places for one in people_of(place))}
        entries = self._source.vault.entries(list(people))
        key_names = {row["id"]: row["name"] for row in self._source.rows("key_names")}
        for row, event, place in zip(steps, events_of_steps, places, strict=True):
            self.reached.position = row["position"]
            if self.cut.leaves_out(event):
                yield None
            else:
                told = self._step(row, event, place, entries, key_names)
                yield told if sub_user_id in {None, place.sub_user_id} else None

    def _step(
        self,
        row: DictRow,
        event: Recorded,
        place: Place,
        entries: Mapping[UUID, VaultEntry],
        key_names: Mapping[str, str],
    ) -> HistoryEntry:
        before, at, subject_id = self.reached.account, event.timestamp, place.sub_user_id
        was, called = seen(before, subject_id, at), names_in(before, subject_id, entries)
        if isinstance(event, events.Event):
            self.reached.account = cast("MainAccount", event.mutate(before))
            self.reached.version = event.originator_version
        after = self.reached.account
        called = {**names_in(after, subject_id, entries), **called}
        return HistoryEntry(
            row=audit_row(row["position"], event, place, entries, {**key_names, **called}),
            version=event.originator_version if _is_own(event) else None,
            event=row["topic"],
            request_id=getattr(event, "request_id", None),
            whom=called.get(str(subject_id)),
            changes=changes(was, seen(after, subject_id, at), entries.get(subject_id or self._account_id))
            if _is_own(event)
            else {},
        )


def names_in(
    account: MainAccount | None, sub_user_id: UUID | None, entries: Mapping[UUID, VaultEntry]
) -> dict[str, str]:
    """Return what an account and one of its sub-users are called in it, by the text of their ids."""
    if account is None:
        return {}
    names = {str(account.id): opened(entries.get(account.id), "company_name", account.company_name)}
    one = account.sub_users.get(sub_user_id) if sub_user_id is not None else None
    if one is not None:
        entry = entries.get(one.sub_user_id)
        full = [opened(entry, "name", one.name), opened(entry, "surname", one.surname)]
        names[str(one.sub_user_id)] = " ".join(full) if entry is not None else ERASED
    return names


def _is_own(event: Recorded) -> bool:
    return isinstance(event, events.Event)
