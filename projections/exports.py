"""Copies of what is recorded, to be kept elsewhere: of one account or of all, in the order of positions.

An export ends where the history was settled when it began, or where the checkpoint ends by which it proves itself. It
can be taken up again after any line, and then ends at the same place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from eventsourcing.persistence import StoredEvent

from application.errors import InvalidValue, ViewBehind
from application.proof_lines import end_line
from projections.audit_rows import audit_row, people_of, place_of
from projections.event_log import SQL as LOG_SQL
from projections.event_log import Positioned, settled_position
from projections.history_walk import SQL as HISTORY_SQL
from projections.proofs import ProofBasis, whole_lines
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import TypeAlias
    from uuid import UUID

    from projections.audit_rows import AuditRow, Recorded
    from projections.cursors import Cursors
    from projections.freshness import Freshness
    from projections.history_walk import Source
    from projections.proofs import Proofs

    Show: TypeAlias = Callable[["Exported"], Mapping[str, Any]]

SQL = statements("projections", "exports")

READ_AT_A_TIME = 500


@dataclass(frozen=True)
class ExportFilter:
    """What to export, by the time of recording: from `since` on, before `until`; None leaves nothing out."""

    account_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == ExportFilter()

    def takes(self, at: datetime) -> bool:
        """Say whether what was recorded at this moment is wanted."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True)
class Exported:
    """One event of an export, as it is stored and as people are shown it; `names` are what people are called today."""

    positioned: Positioned
    account_id: UUID | None
    row: AuditRow
    names: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Span:
    """From where to where an export goes: it began after `start`, and is told after `after`, up to `upto`."""

    start: int
    after: int
    upto: int
    basis: ProofBasis | None = None


class Export:
    """One export, to be read once. `cursor` takes it up again; `resumed` says that it was."""

    def __init__(self, source: Source, proofs: Proofs, wanted: ExportFilter, span: Span, cursor: str) -> None:
        self._source = source
        self._proofs = proofs
        self._wanted = wanted
        self._span = span
        self.cursor = cursor
        self.events = 0
        self.position = span.after

    @property
    def resumed(self) -> bool:
        """Whether it begins in the middle, so that what stands at its head has been told."""
        return self._span.after > self._span.start

    @property
    def end(self) -> int:
        """The position at which it ends."""
        return self._span.upto

    def rows(self) -> Iterator[Exported]:
        """Tell each event, holding but a few at a time; `events` then counts all of it, from its very beginning on."""
        self.events = self._told_before()
        for batch in self._batches(self._span.after, self._span.upto):
            told = self._shown(batch)
            yield from told
            self.events += len(told)

    def lines(self, show: Show) -> Iterator[dict[str, Any]]:
        """Tell each event with its proof, after a header and before an end: see `application/proof_lines.py`."""
        basis = self._span.basis
        if basis is None:
            raise ValueError(basis)
        whole = self._wanted.everything and self._span.start == 0
        if not self.resumed:
            yield basis.header(whole=whole, **self._told_of_itself())
        self.events = self._told_before()
        for batch in self._batches(self._span.after, self._span.upto):
            told = self._shown(batch)
            shown = {one.positioned.position: one for one in told}
            events = [one.positioned for one in told]

            def of(one: Positioned, shown: Mapping[int, Exported] = shown) -> Mapping[str, Any]:
                return show(shown[one.position])

            yield from whole_lines(events, of) if whole else self._proofs.lines(basis, events, of)
            self.events += len(told)
        yield end_line(self.events)

    def _told_of_itself(self) -> dict[str, Any]:
        times = {"since": self._wanted.since, "until": self._wanted.until}
        return {
            "account_id": str(self._wanted.account_id) if self._wanted.account_id is not None else None,
            **{name: at and at.isoformat().replace("+00:00", "Z") for name, at in times.items()},
            "after": self._span.start,
            "cursor": self.cursor,
        }

    def _told_before(self) -> int:
        """Return how many events were told before this was taken up again."""
        if not self.resumed:
            return 0
        return sum(
            self._wanted.takes(self._event(one).timestamp)
            for batch in self._batches(self._span.start, self._span.after)
            for one in batch
        )

    def _batches(self, after: int, upto: int) -> Iterator[Sequence[Positioned]]:
        account_id = self._wanted.account_id
        version = self._version(after)
        bounds = {"account_id": account_id, "upto": upto, "upto_version": self._version(upto), "limit": READ_AT_A_TIME}
        statement = HISTORY_SQL["entries"] if account_id is not None else LOG_SQL["events_between"]
        while True:
            wanted = {**bounds, "position": after, "after": after, "version": version}
            with self._source.database.get_connection() as connection:
                rows = connection.execute(statement, wanted, prepare=True).fetchall()
            if not rows:
                return
            batch = [_positioned(row) for row in rows]
            yield batch
            after = self.position = batch[-1].position
            own = [one.stored.originator_version for one in batch if one.stored.originator_id == account_id]
            version = own[-1] if own else version

    def _shown(self, batch: Sequence[Positioned]) -> list[Exported]:
        events = [(one, self._event(one)) for one in batch]
        wanted = [(one, event, place_of(event)) for one, event in events if self._wanted.takes(event.timestamp)]
        people = {person for _, _, place in wanted for person in people_of(place)}
        entries = self._source.vault.entries(list(people))
        names = {row["id"]: row["name"] for row in self._rows("names", ids=list(people))}
        return [
            Exported(one, place.account_id, audit_row(one.position, event, place, entries, names), names)
            for one, event, place in wanted
        ]

    def _event(self, one: Positioned) -> Recorded:
        return cast("Recorded", self._source.mapper.to_domain_event(one.stored))

    def _version(self, position: int) -> int:
        if self._wanted.account_id is None or position == 0:
            return 0
        (row,) = self._rows("version_upto", account_id=self._wanted.account_id, position=position)
        return int(row["version"])

    def _rows(self, statement: str, **wanted: Any) -> Sequence[Mapping[str, Any]]:
        with self._source.database.get_connection() as connection:
            return connection.execute(SQL[statement], wanted, prepare=True).fetchall()


class Exports:
    """Begins exports, once the views have all that was settled before."""

    def __init__(self, source: Source, freshness: Freshness, cursors: Cursors, proofs: Proofs) -> None:
        self._source = source
        self._freshness = freshness
        self._cursors = cursors
        self._proofs = proofs

    def begin(
        self, wanted: ExportFilter, form: str, *, proven: bool, after: int | None = None, cursor: str | None = None
    ) -> Export:
        """Begin an export after a position, or with its cursor take one up again after that.

        Raises `AccountNotFound`, `InvalidValue`; and `ViewBehind` where nothing has been signed by which to prove it.
        """
        if wanted.account_id is not None:
            self._freshness.of_account(wanted.account_id, None)
            self._freshness.of_view("audit-log")
        scope = ["export", form, *(str(part) for part in (wanted.account_id, wanted.since, wanted.until))]
        span = self._new_span(after or 0, proven=proven) if cursor is None else self._span(scope, cursor, after)
        if span.after > span.upto:
            raise InvalidValue("after", "is beyond the end of this export")
        tree_size = span.basis.tree_size if span.basis is not None else 0
        again = self._cursors.write(scope, [span.start, span.upto, tree_size])
        return Export(self._source, self._proofs, wanted, span, again)

    def _new_span(self, start: int, *, proven: bool) -> Span:
        if not proven:
            with self._source.database.get_connection() as connection:
                return Span(start, start, settled_position(connection))
        basis = self._proofs.basis()
        if basis is None:
            raise ViewBehind
        return Span(start, start, basis.position, basis)

    def _span(self, scope: list[str], cursor: str, after: int | None) -> Span:
        start, upto, tree_size = self._cursors.read(scope, cursor)
        basis = ProofBasis(tree_size, upto, "", ()) if tree_size else None
        return Span(start, max(start, after or 0), upto, basis)


def _positioned(row: Mapping[str, Any]) -> Positioned:
    position: int = row["position"] if "position" in row else row["notification_id"]
    stored = StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
    return Positioned(position, stored)
