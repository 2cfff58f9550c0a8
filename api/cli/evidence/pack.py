"""Evidence pack of an account: its history with proofs, its audit log, checkpoints, keys and a report, in a ZIP file.

`tools/verify_export.py` verifies a pack without this project. The same account, period and checkpoint give the same
file, unless a name changes, data is erased, or the period ends in the future.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import stat
import zipfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from api.cli.evidence.report import Report, readme
from api.http.resources.exports.lines import COLUMNS, ExportFormat, lines
from api.http.resources.history.schemas import AccountStateAnswer
from api.presentation.spreadsheets.csv_cells import JsonText, csv_line
from application.display_text import escape_unprintable
from application.transparency.checkpoint import Checkpoint
from application.transparency.evidence_manifest import SIGNED_SUMS, SUMS, sums
from application.transparency.signed_note import SignedNote
from application.transparency.verifiable_export import with_digest
from projections.history.exports import ExportFilter
from projections.history.queries import HistoryFilter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO
    from uuid import UUID

    from api.bootstrap.service import Service

FORMAT = "evidence"
"""Format in the record of the export."""

VERIFIER = Path(__file__).parent / "verify_export.py.txt"
"""The stand-alone verifier: a link to `tools/verify_export.py`."""

ACCOUNT_STATE = AccountStateAnswer()


@dataclass(frozen=True)
class Period:
    """Which events a pack has: those of one account, recorded from `since` on and before `until`."""

    account_id: UUID
    since: datetime
    until: datetime


def write_pack(service: Service, period: Period, file: BinaryIO, folder: Path) -> int:
    """Write a pack to a file, and return the number of its events. Temporary files are in `folder`.

    Raises `AccountNotFound`, `NoCheckpointYet` and `KeyNotHeld`.
    """
    with TemporaryDirectory(prefix=".evidence-", dir=folder) as temporary_folder:
        contents = Path(temporary_folder)
        pack = _PackWriter(service, period, contents)
        pack.write_files()
        _write_zip(file, contents, pack.checkpoint.signed_at)
    return pack.event_count


class _PackWriter:
    """Writes the files of a pack to a folder."""

    def __init__(self, service: Service, period: Period, folder: Path) -> None:
        self._service = service
        self._period = period
        self._folder = folder
        self._counts: Counter[str] = Counter()
        self._header: Mapping[str, Any] = {}

    @property
    def event_count(self) -> int:
        """Number of events in the history."""
        return self._counts.total()

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that the proofs of the history lead to."""
        return _checkpoint_in(self._header["checkpoint"])

    def write_files(self) -> None:
        """Write all files."""
        self._write_history()
        self._write_audit_log()
        self._write_checkpoints()
        self._write_report()
        shutil.copyfile(VERIFIER, self._folder / "verify_export.py")
        self._write_manifest()

    def _write_history(self) -> None:
        period = self._period
        export = self._service.queries.exports.begin(
            ExportFilter(period.account_id, period.since, period.until), FORMAT, has_proofs=True
        )
        activity_types = self._service.commands.activity_types.current()
        with (self._folder / "history.jsonl").open("wb") as history:
            for number, line in enumerate(lines(export, ExportFormat.JSONL, activity_types)):
                history.write(line if number else self._read_header(line))

    def _read_header(self, line: bytes) -> bytes:
        """Keep the header, and return it without the cursor, which is different each time and of no use in a pack."""
        self._header = with_digest({**json.loads(line), "cursor": None})
        return json.dumps(self._header, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    def _events(self) -> Iterator[dict[str, Any]]:
        """Yield `shown` of each event of the history."""
        with (self._folder / "history.jsonl").open("rb") as history:
            for line in map(json.loads, history):
                if "shown" in line:
                    yield line["shown"]

    def _write_audit_log(self) -> None:
        with (self._folder / "audit-log.csv").open("wb") as audit_log:
            audit_log.write(csv_line(COLUMNS))
            for event in self._events():
                actor = {f"actor_{name}": value for name, value in event["actor"].items()}
                cells = {**event, **actor, "details": JsonText.of(event["details"])}
                audit_log.write(csv_line(tuple(cells[column] for column in COLUMNS)))
                self._counts[event["action"]] += 1

    def _write_checkpoints(self) -> None:
        """Write the checkpoints, the proofs that each continues the one before it, the keys and their successions."""
        period, last = self._period, self.checkpoint
        stored = self._service.queries.checkpoints.daily(period.since, period.until, last.tree_size)
        notes = [checkpoint.note for checkpoint in stored]
        if self._header["checkpoint"] not in notes:
            notes.append(self._header["checkpoint"])
        self._write_numbered("checkpoints", notes)
        self._write_numbered("successions", self._header["successions"])
        sizes = [_checkpoint_in(note).tree_size for note in notes]
        self._write_json("consistency.json", [self._consistency_proof(*pair) for pair in pairwise(sizes)])
        self._write("keys.txt", "".join(f"{key}\n" for key in self._header["keys"]))

    def _consistency_proof(self, first: int, second: int) -> dict[str, Any]:
        path = self._service.queries.proofs.consistency(first, second) or []
        return {"first": first, "second": second, "path": [base64.b64encode(digest).decode() for digest in path]}

    def _write_report(self) -> None:
        period, checkpoint = self._period, self.checkpoint
        since, until = map(_rfc_3339, (period.since, period.until))
        state_at_start = self._state_before(period.since)
        state_at_end = self._state_before(min(period.until, self._service.clock()))
        self._write_json("access.json", {"at_start": state_at_start, "at_end": state_at_end})
        Report(
            account_id=str(period.account_id),
            since=since,
            until=until,
            losses=checkpoint.losses,
            checkpoint={**vars(checkpoint), "signed_at": f"{checkpoint.signed_at:%Y-%m-%d %H:%M:%S}"},
            keys=self._header["keys"],
            state_at_start=state_at_start,
            state_at_end=state_at_end,
            counts=sorted(self._counts.items()),
            events=self._events(),
        ).write(self._folder / "report.html")
        self._write(
            "README.txt", readme(account_id=period.account_id, since=since, until=until, origin=checkpoint.origin)
        )

    def _state_before(self, moment: datetime) -> dict[str, Any] | None:
        """Return the state of the account just before a moment, as the API shows it; None if it did not exist yet."""
        history_filter = HistoryFilter(as_of=moment - timedelta(microseconds=1))
        state = self._service.queries.history.page(self._period.account_id, history_filter, 1, None).state
        return json.loads(ACCOUNT_STATE.to_json(state)) if state is not None else None

    def _write_manifest(self) -> None:
        text = sums({name: _digest(self._folder / name) for name in _file_names(self._folder)})
        self._write(SUMS, text)
        self._write(
            SIGNED_SUMS,
            self._service.workers.checkpointer.sign_evidence(
                self.checkpoint.tree_size, hashlib.sha256(text.encode()).hexdigest()
            ),
        )

    def _write_numbered(self, folder: str, texts: Sequence[str]) -> None:
        (self._folder / folder).mkdir()
        for number, text in enumerate(texts, 1):
            self._write(f"{folder}/{number:04}.txt", text)

    def _write_json(self, name: str, value: Any) -> None:
        lines_to_write = json.dumps(value, indent=2, ensure_ascii=False).split("\n")
        self._write(name, "".join(f"{escape_unprintable(line)}\n" for line in lines_to_write))

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_bytes(text.encode())


def _write_zip(file: BinaryIO, folder: Path, written_at: datetime) -> None:
    """Write the files of a folder to a ZIP file, in the order of their names, all with the same time and mode."""
    with zipfile.ZipFile(file, "w") as archive:
        for name in _file_names(folder):
            entry = zipfile.ZipInfo(name, written_at.astimezone(UTC).timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.file_size = (folder / name).stat().st_size  # decides whether the entry needs 64-bit sizes
            with (folder / name).open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target)


def _file_names(folder: Path) -> Sequence[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checkpoint_in(note: str) -> Checkpoint:
    return Checkpoint.parse(SignedNote.parse(note).text)


def _rfc_3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
