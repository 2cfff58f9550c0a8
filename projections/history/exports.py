"""Exports of recorded events, of one account or of all, in the order of positions.

An export with proofs ends at a checkpoint. Any other ends at the settled position of its start: no event can appear at
or before it any more (`adapters/postgres/event_store/sql/appending.sql`). An export can be resumed after any line with
its cursor, and then has the same end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from adapters.postgres.event_store.settled_reads import settled_position
from adapters.postgres.sql_files import statements
from application.errors import InvalidValue, NoCheckpointYet
from application.transparency.verifiable_export import ExportSelection, end_line
from projections.audit_log.held_names import held_names
from projections.audit_log.role_names import role_names
from projections.audit_log.rows import audit_row, index_entry_of, person_ids_of
from projections.history.event_pager import EventPager
from projections.transparency.proofs import whole_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import TypeAlias
    from uuid import UUID

    from adapters.postgres.event_store.settled_reads import RecordedEvent
    from application.pagination_cursors import Cursors
    from application.ports.vault import VaultEntry
    from domain.events import AnyEvent
    from projections.audit_log.rows import AuditRow
    from projections.history.reader import EventSource
    from projections.runtime.freshness import Freshness
    from projections.transparency.proofs import ProofBasis, Proofs

    DescribeEvent: TypeAlias = Callable[["ExportedEvent"], Mapping[str, Any]]

SQL = statements("projections.history", "exports")


@dataclass(frozen=True)
class ExportFilter:
    """Which events to export: those recorded from `since` on and before `until`. None means no limit."""

    account_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether no limit is set."""
        return self == ExportFilter()

    def is_within_time_range(self, recorded_at: datetime) -> bool:
        """Return whether an event recorded at this time is in the range of times."""
        return (self.since is None or recorded_at >= self.since) and (self.until is None or recorded_at < self.until)


@dataclass(frozen=True)
class ExportedEvent:
    """One event of an export: as stored, and as an audit row.

    `names` has the present names of the accounts, sub-users and API keys in the event, by id as text.
    """

    recorded_event: RecordedEvent
    account_id: UUID | None
    row: AuditRow
    names: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class ExportRange:
    """Positions of an export: the events after `start_position`, up to and including `end_position`.

    Earlier responses contained the events up to `resume_position`, which equals `start_position` if there were none.
    Proofs lead to `basis`; None means no proofs.
    """

    start_position: int
    resume_position: int
    end_position: int
    basis: ProofBasis | None = None


class Export:
    """One export, to be iterated once. `cursor` resumes it.

    While it is iterated, `last_position` is the position that it has reached, and `event_count` the number of events in
    this response up to there.
    """

    def __init__(
        self, source: EventSource, proofs: Proofs, export_filter: ExportFilter, export_range: ExportRange, cursor: str
    ) -> None:
        self._source = source
        self._proofs = proofs
        self._filter = export_filter
        self._range = export_range
        self._pager = EventPager(source.database, export_filter.account_id)
        self.cursor = cursor
        self.event_count = 0
        self.last_position = export_range.resume_position

    @property
    def is_resumed(self) -> bool:
        """Whether the export continues an earlier one, whose header has been sent already."""
        return self.resume_position > self._range.start_position

    @property
    def resume_position(self) -> int:
        """Position after which this response begins."""
        return self._range.resume_position

    @property
    def end_position(self) -> int:
        """Position at which the export ends."""
        return self._range.end_position

    def rows(self) -> Iterator[ExportedEvent]:
        """Yield each event, with only one batch in memory."""
        for batch in self._batches():
            yield from batch

    def recorded_events(self) -> Iterator[RecordedEvent]:
        """Yield each event as stored, without decrypting anything."""
        for page in self._pager.pages(self.resume_position, self.end_position):
            for recorded_event in page:
                self.last_position = recorded_event.position
                if self._filter.is_within_time_range(self._decode(recorded_event).timestamp):
                    self.event_count += 1
                    yield recorded_event

    def count_all(self) -> int:
        """Return the number of events up to `last_position`, with those of earlier responses, which are read again."""
        return self.event_count + sum(
            self._filter.is_within_time_range(self._decode(recorded_event).timestamp)
            for page in self._pager.pages(self._range.start_position, self.resume_position)
            for recorded_event in page
        )

    def lines(self, describe_event: DescribeEvent) -> Iterator[dict[str, Any]]:
        """Yield each event with its proof, between a header and an end line (`verifiable_export.py`)."""
        basis = self._range.basis
        if basis is None:
            raise ValueError("the export was started without proofs")
        if not self.is_resumed:
            yield basis.header(self._selection(), whole=self._is_complete_history)
        for batch in self._batches():
            yield from self._proven_lines(basis, batch, describe_event)
        yield end_line(self.count_all())

    @property
    def _is_complete_history(self) -> bool:
        """Whether the export has all events up to its end, which together prove each one."""
        return self._filter.is_unlimited and self._range.start_position == 0

    def _selection(self) -> ExportSelection:
        account_id = str(self._filter.account_id) if self._filter.account_id is not None else None
        since, until = _rfc_3339(self._filter.since), _rfc_3339(self._filter.until)
        return ExportSelection(account_id, since, until, self._range.start_position, self.cursor)

    def _proven_lines(
        self, basis: ProofBasis, batch: Sequence[ExportedEvent], describe_event: DescribeEvent
    ) -> Iterator[dict[str, Any]]:
        recorded_events = [exported.recorded_event for exported in batch]
        descriptions = {exported.recorded_event.position: describe_event(exported) for exported in batch}

        def description_of(event: RecordedEvent) -> Mapping[str, Any]:
            return descriptions[event.position]

        if self._is_complete_history:
            return whole_lines(recorded_events, description_of)
        return self._proofs.lines(basis, recorded_events, description_of)

    def _batches(self) -> Iterator[Sequence[ExportedEvent]]:
        """Yield the exported events of each page, and update the count and the position after each."""
        for page in self._pager.pages(self.resume_position, self.end_position):
            batch = self._select_and_describe(page)
            yield batch
            self.event_count += len(batch)
            self.last_position = page[-1].position

    def _select_and_describe(self, page: Sequence[RecordedEvent]) -> Sequence[ExportedEvent]:
        """Return the events of a page that are within the range of times, with their audit rows."""
        decoded = [(recorded_event, self._decode(recorded_event)) for recorded_event in page]
        selected = [
            (recorded_event, event, index_entry_of(event))
            for recorded_event, event in decoded
            if self._filter.is_within_time_range(event.timestamp)
        ]
        person_ids = {person_id for _, _, index_entry in selected for person_id in person_ids_of(index_entry)}
        vault_entries = self._source.vault.entries(list(person_ids))
        mentioning_events = [event for _, event, _ in selected]
        names = self._names(person_ids, vault_entries)
        names |= role_names(self._source.database, self._source.mapper, vault_entries, mentioning_events)
        return [
            ExportedEvent(
                recorded_event,
                index_entry.account_id,
                audit_row(recorded_event.position, event, index_entry, vault_entries, names),
                names,
            )
            for recorded_event, event, index_entry in selected
        ]

    def _names(self, person_ids: Collection[UUID], vault_entries: Mapping[UUID, VaultEntry]) -> dict[str, str]:
        with self._source.database.get_connection() as connection:
            rows = connection.execute(SQL["names"], {"ids": list(person_ids)}, prepare=True).fetchall()
        names = {row["id"]: row["name"] for row in rows}
        return names | held_names(self._source.database, vault_entries, names)

    def _decode(self, recorded_event: RecordedEvent) -> AnyEvent:
        return cast("AnyEvent", self._source.mapper.to_domain_event(recorded_event.stored))


class Exports:
    """Starts exports, once the views that they read contain every event that was recorded before the request."""

    def __init__(self, source: EventSource, freshness: Freshness, cursors: Cursors, proofs: Proofs) -> None:
        self._source = source
        self._freshness = freshness
        self._cursors = cursors
        self._proofs = proofs

    def begin(
        self,
        export_filter: ExportFilter,
        export_format: str,
        *,
        has_proofs: bool,
        after: int | None = None,
        cursor: str | None = None,
    ) -> Export:
        """Start an export after a position, or resume one with its cursor.

        A resumed export begins again with its header unless `after` is beyond its start. Raises `AccountNotFound` and
        `InvalidValue`, and `NoCheckpointYet` if proofs are requested and no checkpoint exists yet.
        """
        self._wait_for_views(export_filter.account_id)
        limits = (export_filter.account_id, export_filter.since, export_filter.until)
        cursor_scope = ["export", export_format, *map(str, limits)]
        export_range = (
            self._start(after or 0, has_proofs=has_proofs)
            if cursor is None
            else self._resume(self._cursors.read(cursor_scope, cursor), after or 0)
        )
        if export_range.resume_position > export_range.end_position:
            raise InvalidValue("after", "is beyond the end of this export")
        tree_size = export_range.basis.tree_size if export_range.basis is not None else 0
        cursor_values = [export_range.start_position, export_range.end_position, tree_size]
        resume_cursor = self._cursors.write(cursor_scope, cursor_values)
        return Export(self._source, self._proofs, export_filter, export_range, resume_cursor)

    def _wait_for_views(self, account_id: UUID | None) -> None:
        """Wait for the view that has the names and, for one account, the view that lists its events.

        Without the newest names, a new sub-user would look like an erased one.
        """
        if account_id is None:
            self._freshness.wait_for_view("sub-users")
        else:
            self._freshness.wait_for_account(account_id, None)
            self._freshness.wait_for_view("audit-log")

    def _start(self, start_position: int, *, has_proofs: bool) -> ExportRange:
        if not has_proofs:
            with self._source.database.get_connection() as connection:
                return ExportRange(start_position, start_position, settled_position(connection))
        basis = self._proofs.basis()
        if basis is None:
            raise NoCheckpointYet
        return ExportRange(start_position, start_position, basis.position, basis)

    def _resume(self, cursor_values: Sequence[Any], after: int) -> ExportRange:
        start_position, end_position, tree_size = cursor_values
        basis = self._proofs.basis_of_size(tree_size) if tree_size else None
        if tree_size and (basis is None or basis.position != end_position):
            raise InvalidValue("cursor", "is of a checkpoint that the store has lost: start a new export")
        return ExportRange(start_position, max(start_position, after), end_position, basis)


def _rfc_3339(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment is not None else None
