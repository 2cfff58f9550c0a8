"""Checks the whole store: every event is hashed anew, and compared with what was kept of it and with what was signed.

What that can tell is told by `application/first_bad.py`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import merge
from itertools import count
from typing import TYPE_CHECKING, Any

from psycopg import IsolationLevel, sql
from psycopg.rows import tuple_row

from application.checkpoints import Checkpoint, MalformedCheckpoint, trusted_keys
from application.first_bad import CannotTell, Finding, Roots, SignedRoot, first_bad
from application.history_reading import HistoryReading, RootComparison
from application.merkle import GrowingTree
from application.signed_notes import BadSignature, MalformedNote, SignedNote, VerifierKey
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from psycopg import Connection

    from application.signed_notes import Verify

SQL = statements("projections", "store_check")

ROWS_AT_A_TIME = 5000
COPY_HEADER = 19
"""Bytes before the first row: a signature of 11, flags, and the length of an extension that there is not."""

FIELDS = b"\x00\x05"
"""The count of fields before each row; after the last one comes -1."""


@dataclass(frozen=True)
class Kept:
    """A checkpoint that somebody kept elsewhere, and the name by which they know it."""

    name: str
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Verdict:
    """How many events there are, how many of them are signed, by how many roots; what is wrong, the worst first."""

    events: int
    signed: int
    roots: int
    findings: Sequence[Finding]


@dataclass
class StoreCheck:
    """One check, as of one moment. Both connections are in autocommit mode, and lead to the same database."""

    events: Connection[Any]
    kept: Connection[Any]
    trusted: Collection[bytes | VerifierKey]
    verify: Verify
    elsewhere: Sequence[Kept] = ()
    progress: Callable[[int, int], None] = lambda _done, _of: None
    _findings: list[Finding] = field(default_factory=list)
    _keys: set[VerifierKey] = field(default_factory=set)
    _stored: int = 0
    _reads: Iterator[int] = field(default_factory=count)

    def run(self) -> Verdict:
        """Check everything. Raises `CannotTell`."""
        with self._one_moment():
            self._keys = self._trusted_keys()
            reading = HistoryReading(self._rows("leaves"), self._rows("nodes"), self._kept_leaves())
            roots = reading.read(self._event_rows(), self._signed_roots(), self.progress)
            self._note_lost_checkpoints()
            if roots.signed == 0 and not self._findings:
                raise CannotTell("nothing was signed yet: this store has no checkpoint, and none was given")
            leaves = self._read_leaves() if roots.bad is not None else Roots()
        worst = first_bad(roots, leaves, reading.difference) or reading.altered(roots)
        findings = [*([worst] if worst is not None else []), *self._findings]
        signed = roots.good.size if roots.good is not None else 0
        return Verdict(reading.tree.size, signed, roots.signed, findings)

    def _note_lost_checkpoints(self) -> None:
        """Note where there are none: one that somebody kept was in the store before they had it."""
        if self.elsewhere and self._stored == 0:
            last = max(one.checkpoint.position for one in self.elsewhere)
            self._findings.append(Finding(1, max(1, last), "the checkpoints of this store are gone"))

    @contextmanager
    def _one_moment(self) -> Iterator[None]:
        self.events.isolation_level = self.kept.isolation_level = IsolationLevel.REPEATABLE_READ
        with self.events.transaction(), self.kept.transaction():
            row = self.events.cursor(row_factory=tuple_row).execute(SQL["snapshot"]).fetchone()
            snapshot = sql.Literal(row[0] if row else "")
            self.kept.execute(sql.SQL(SQL["same_moment"]).format(snapshot=snapshot))
            yield

    def _trusted_keys(self) -> set[VerifierKey]:
        """Return the keys to be trusted under the name that this store signs with."""
        row = self.kept.cursor(row_factory=tuple_row).execute(SQL["origin"]).fetchone()
        given = [one.checkpoint.origin for one in self.elsewhere]
        origin = row[0].partition("+")[0] if row else (given or [""])[0]
        for one in self.elsewhere:
            if one.checkpoint.origin != origin:
                raise CannotTell(f"{one.name} is of another store: {one.checkpoint.origin}; this one is {origin}")
        keys = {one if isinstance(one, VerifierKey) else VerifierKey(origin, one) for one in self.trusted}
        found = self._with_successors({one for one in keys if one.name == origin})
        if not found and row:
            raise CannotTell("no key of this store is trusted: give --public-key, or SUBUSERS_SIGNING_KEY")
        return found

    def _with_successors(self, keys: set[VerifierKey]) -> set[VerifierKey]:
        handovers = []
        for (text,) in self.kept.cursor(row_factory=tuple_row).execute(SQL["handovers"]):
            try:
                note = SignedNote.parse(text)
                handovers.append((note, Checkpoint.parse(note.text)))
            except (MalformedNote, MalformedCheckpoint):
                continue  # it is found among the checkpoints
        try:
            return trusted_keys(keys, handovers, self.verify)
        except BadSignature:
            return keys

    def _kept_leaves(self) -> int:
        row = self.kept.cursor(row_factory=tuple_row).execute(SQL["tree_size"]).fetchone()
        return int(row[0]) if row else 0

    def _event_rows(self) -> Iterator[bytes]:
        """Yield what each leaf has to hold. A message of the copy is a row; the first has the header before it."""
        before = COPY_HEADER
        with self.events.cursor().copy(SQL["events"]) as copy:
            for message in copy:
                row = bytes(message[before:])
                before = 0
                if row.startswith(FIELDS):
                    yield row[2:]

    def _read_leaves(self) -> Roots:
        """Compare the roots that the kept leaves give with those that are signed."""
        roots, tree = Roots(), GrowingTree()
        comparison = RootComparison(roots, tree, self._signed_roots(noting=False))
        for number, _, digest in self._rows("leaves"):
            if number != tree.size:
                break
            tree.append(digest)
            comparison.grown()
        comparison.end()
        return roots

    def _rows(self, statement: str) -> Iterator[Any]:
        with self.kept.cursor(f"{statement} {next(self._reads)}", row_factory=tuple_row) as cursor:
            cursor.itersize = ROWS_AT_A_TIME
            cursor.execute(SQL[statement], binary=True)
            yield from cursor

    def _signed_roots(self, *, noting: bool = True) -> Iterator[SignedRoot]:
        """Yield every root that there has to be, by size."""
        elsewhere = [
            SignedRoot(
                one.checkpoint.tree_size, one.checkpoint.root_hash, one.checkpoint.position, one.name, elsewhere=True
            )
            for one in self.elsewhere
        ]
        elsewhere.sort(key=lambda one: one.size)
        return merge(elsewhere, self._stored_roots(noting=noting), key=lambda one: one.size)

    def _stored_roots(self, *, noting: bool) -> Iterator[SignedRoot]:
        before = 0
        for number, size, position, text in self._rows("checkpoints"):
            self._stored += noting
            name = f"checkpoint {number} of this store ({size} events)"
            try:
                root = self._genuine_root(text, size, position)
            except (MalformedNote, MalformedCheckpoint, BadSignature) as error:
                if noting:
                    self._findings.append(Finding(before + 1, max(before + 1, position), f"{name}: {error}"))
            else:
                before = position
                yield SignedRoot(size, root, position, name, elsewhere=False)

    def _genuine_root(self, text: str, size: int, position: int) -> bytes:
        note = SignedNote.parse(text)
        checkpoint = Checkpoint.parse(note.text)
        if (checkpoint.tree_size, checkpoint.position) != (size, position):
            raise MalformedCheckpoint("its row says something else than what was signed")
        if not note.signed_by(self._keys, self.verify):
            raise MalformedCheckpoint("it is signed by no key that is trusted")
        return checkpoint.root_hash
