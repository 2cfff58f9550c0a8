"""The history of an account, from its first event on, and what it amounts to at a moment.

As of a moment means: what was recorded by then, by the time that each event has. Of the account's own stream that is a
beginning of it, for times never run backwards there (`MainAccount` sees to it, whatever the clocks of processes say).
What stands in streams beside it (activities, usage, webhooks, looks) is taken or left one by one; where in the order of
positions to stop looking for more of it, the account's own stream tells: at its first event more than a day later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from projections.account_states import account_state
from projections.event_log import settled_position
from projections.folds import Folds
from projections.history_walk import Cut, Reached, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from application.ports import Clock, Vault
    from domain.events import Event
    from domain.main_account import MainAccount
    from projections.account_states import AccountState
    from projections.cursors import Cursors
    from projections.freshness import Freshness
    from projections.history_walk import HistoryEntry, Source

FOLDED_AT_A_TIME = 1000

WINDOW = 10_000
"""Events that one page looks at, at most: a filter that little passes costs no request more than this."""

CLOCKS_DIFFER = timedelta(days=1)
"""By so much the clocks of two processes may differ, without any answer being wrong for it."""

END_OF_TIME = datetime.max.replace(tzinfo=UTC) - CLOCKS_DIFFER


@dataclass(frozen=True)
class HistoryFilter:
    """Up to which moment, and about whom; None leaves nothing out."""

    as_of: datetime | None = None
    sub_user_id: UUID | None = None

    def scope(self, account_id: UUID) -> list[str]:
        """Return what a cursor of this history is bound to."""
        return ["history", *(str(part) for part in (account_id, self.as_of, self.sub_user_id))]


@dataclass(frozen=True)
class HistoryPage:
    """A part of a history; the first part comes with the state that the whole of it amounts to, if there is any."""

    entries: Sequence[HistoryEntry]
    state: AccountState | None
    next_cursor: str | None


class Replay:
    """A whole history, to be read once; then it has the state that it amounts to, None if there was none yet."""

    def __init__(self, walk: Walk, wanted: HistoryFilter, vault: Vault) -> None:
        self._walk = walk
        self._wanted = wanted
        self._vault = vault
        self.events = 0

    def __iter__(self) -> Iterator[HistoryEntry]:
        """Tell what happened, holding but a few at a time."""
        while steps := self._walk.next_steps():
            for entry in self._walk.go(steps, self._wanted.sub_user_id):
                if entry is not None:
                    self.events += 1
                    yield entry

    @property
    def progress(self) -> tuple[int, int]:
        """How far it has come, and how far it goes, in positions of the whole history."""
        return self._walk.reached.position, self._walk.cut.position

    @property
    def state(self) -> AccountState | None:
        """What it has come to."""
        return _state(self._walk.reached.account, self._walk.cut, self._wanted, self._vault)


class History:
    """Reads histories, once the views have all that was settled before."""

    def __init__(self, source: Source, freshness: Freshness, cursors: Cursors, clock: Clock) -> None:
        self._source = source
        self._freshness = freshness
        self._cursors = cursors
        self._clock = clock
        self._folds = Folds()

    def page(
        self, account_id: UUID, wanted: HistoryFilter, limit: int, cursor: str | None, at_least: int | None = None
    ) -> HistoryPage:
        """Return a page, and the cursor of the next if there may be more. Raises `AccountNotFound`, `InvalidValue`."""
        if cursor is None:
            cut, reached = self._cut(account_id, wanted, at_least), Reached()
        else:
            cut, reached = self._gone_on(account_id, wanted, cursor)
        walk = Walk(self._source, account_id, cut, reached)
        entries, more = _some(walk, wanted.sub_user_id, limit)
        if reached.account is not None:
            self._folds.keep(reached.account)
        last = [reached.position, reached.version, cut.position, cut.version, cut.at.isoformat()]
        state = self._state(account_id, cut, wanted) if cursor is None else None
        return HistoryPage(entries, state, self._cursors.write(wanted.scope(account_id), last) if more else None)

    def replay(self, account_id: UUID, wanted: HistoryFilter, at_least: int | None = None) -> Replay:
        """Return the whole history. Raises `AccountNotFound`."""
        walk = Walk(self._source, account_id, self._cut(account_id, wanted, at_least), Reached())
        return Replay(walk, wanted, self._source.vault)

    def _cut(self, account_id: UUID, wanted: HistoryFilter, at_least: int | None) -> Cut:
        """Return how far the history goes that is asked for, as it is now."""
        self._freshness.of_account(account_id, at_least)
        self._freshness.of_view("audit-log")
        if at_least is not None:
            self._freshness.of_view("audit-log", at_least)
        at = wanted.as_of or self._clock()
        if wanted.as_of is None:
            return Cut(self._number("length", account_id), self._settled(), at, by_time=False)
        version = self._number("version_at", account_id, at=at)
        beyond = self._number("version_at", account_id, at=min(at, END_OF_TIME) + CLOCKS_DIFFER) + 1
        later = self._position_of(account_id, beyond)
        return Cut(version, self._settled() if later is None else later, at, by_time=True)

    def _gone_on(self, account_id: UUID, wanted: HistoryFilter, cursor: str) -> tuple[Cut, Reached]:
        """Return how far it goes, and how far it was told, as a cursor has it."""
        position, version, upto, upto_version, at = self._cursors.read(wanted.scope(account_id), cursor)
        reached = Reached(position, version, self._account_at(account_id, version))
        return Cut(upto_version, upto, datetime.fromisoformat(at), by_time=wanted.as_of is not None), reached

    def _state(self, account_id: UUID, cut: Cut, wanted: HistoryFilter) -> AccountState | None:
        account = self._account_at(account_id, cut.version)
        return _state(account, cut, wanted, self._source.vault)

    def _account_at(self, account_id: UUID, version: int) -> MainAccount | None:
        """Return the account as it was after so many events, from its events alone."""
        account = self._folds.nearest(account_id, version)
        reached = account.version if account is not None else 0
        while reached < version:
            wanted = {"account_id": account_id, "version": reached, "upto_version": version, "limit": FOLDED_AT_A_TIME}
            rows = self._source.rows("stream", **wanted)
            for row in rows:
                account = cast("MainAccount", cast("Event", self._source.event(row)).mutate(account))
            reached += len(rows)
        if account is not None:
            self._folds.keep(account)
        return account

    def _number(self, statement: str, account_id: UUID, **more: Any) -> int:
        (row,) = self._source.rows(statement, account_id=account_id, **more)
        return int(row["version"])

    def _position_of(self, account_id: UUID, version: int) -> int | None:
        rows = self._source.rows("position_of", account_id=account_id, version=version)
        return int(rows[0]["position"]) if rows else None

    def _settled(self) -> int:
        with self._source.database.get_connection() as connection:
            return settled_position(connection)


def _some(walk: Walk, sub_user_id: UUID | None, limit: int) -> tuple[list[HistoryEntry], bool]:
    """Return the next entries, at most so many, and whether there may be more."""
    found: list[HistoryEntry] = []
    looked_at = 0
    while looked_at < WINDOW:
        steps = walk.next_steps()
        if not steps:
            return found, False
        for entry in walk.go(steps, sub_user_id):
            looked_at += 1
            if entry is not None:
                found.append(entry)
            if len(found) == limit:
                return found, walk.reached.position < steps[-1]["position"] or bool(walk.next_steps())
    return found, True


def _state(account: MainAccount | None, cut: Cut, wanted: HistoryFilter, vault: Vault) -> AccountState | None:
    if account is None:
        return None
    entries = vault.entries([account.id, *account.sub_users])
    return account_state(account, cut.at, entries, wanted.sub_user_id)
