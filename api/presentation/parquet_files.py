"""Published events in Parquet files: one file per UTC day, in the order of positions, without personal data.

The first positions of the files are part of their names, so a later export adds files to the same folder.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import date, datetime
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SUFFIX = ".parquet"
POSITION_DIGITS = 19
"""Digits of the largest position, so that file names sort like positions."""

DAY_LENGTH = len("2026-05-01")
"""Length of the day at the beginning of a file name."""

ROWS_PER_GROUP = 10_000
SELECTION_KEY = b"subusers.selection"
"""Key of the metadata that says which events a file has."""


class ParquetNotInstalled(Exception):
    """Parquet needs pyarrow: install it, or subusers with the extra `parquet`."""


class OtherSelection(Exception):
    """The folder has files with other events."""


class LastRow(NamedTuple):
    """The position and the epoch of the last event in a folder."""

    position: int
    epoch: UUID | None


class ParquetFolder:
    """A folder with the Parquet files of one account, or of all if `account_id` is None."""

    def __init__(self, path: Path, account_id: UUID | None) -> None:
        """Import pyarrow. Raises `ParquetNotInstalled`."""
        try:
            import pyarrow  # noqa: ICN001, PLC0415  # optional
            import pyarrow.parquet  # noqa: PLC0415  # optional
        except ImportError:
            raise ParquetNotInstalled(ParquetNotInstalled.__doc__) from None
        self._arrow = pyarrow
        self._path = path
        self._selection = json.dumps({"account_id": str(account_id) if account_id is not None else None}).encode()

    def last_row(self) -> LastRow | None:
        """Return the last event in the folder, None without files. Raises `OtherSelection`."""
        last_file = self._last_file()
        if last_file is None:
            return None
        table = self._arrow.parquet.read_table(last_file, columns=["position", "epoch"])
        if table.schema.metadata.get(SELECTION_KEY) != self._selection:
            raise OtherSelection(f"{self._path} has events of another selection: choose another folder")
        (row,) = table.slice(table.num_rows - 1).to_pylist()
        return LastRow(row["position"], UUID(row["epoch"]) if row["epoch"] is not None else None)

    def _last_file(self) -> Path | None:
        """Return the file with the highest positions."""
        files = self._path.glob(f"????-??-??-{'[0-9]' * POSITION_DIGITS}{SUFFIX}")
        return max(files, key=lambda file: file.stem[DAY_LENGTH:], default=None)

    def write(self, envelopes: Iterable[dict[str, Any]], report_progress: Callable[[], None]) -> int:
        """Write events to a file per day, and return the number of files.

        A file has a range of positions, and days of files never go back. Clocks of processes differ slightly, so an
        event just before midnight may be in the file of the next day. Each file gets its final name when it is
        complete.
        """
        file_count = 0
        last_file = self._last_file()
        first_day = date.fromisoformat(last_file.stem[:DAY_LENGTH]) if last_file is not None else date.min
        self._path.mkdir(parents=True, exist_ok=True)
        for day, rows_with_day in groupby(_rows_with_day(envelopes, first_day), key=itemgetter(0)):
            rows = (row for _, row in rows_with_day)
            first_row = next(rows)
            with self._open(f"{day}-{first_row['position']:0{POSITION_DIGITS}}{SUFFIX}") as writer:
                rows_of_file = chain([first_row], rows)
                while group := list(islice(rows_of_file, ROWS_PER_GROUP)):
                    writer.write_table(self._arrow.Table.from_pylist(group, schema=writer.schema))
                    report_progress()
            file_count += 1
        return file_count

    @contextmanager
    def _open(self, name: str) -> Iterator[Any]:
        """Yield the writer of a file that only its owner can read."""
        draft = self._path / f"{name}.part"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with self._arrow.parquet.ParquetWriter(file, self._schema()) as writer:
                yield writer
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path / name)

    def _schema(self) -> Any:
        """Return the columns, named like the attributes of an event. `data` is JSON."""
        text, integer = self._arrow.string(), self._arrow.int64()
        columns = {
            "position": integer,
            "id": text,
            "type": text,
            "source": text,
            "time": self._arrow.timestamp("us", tz="UTC"),
            "subject": text,
            "accountid": text,
            "accountversion": integer,
            "epoch": text,
            "actor_type": text,
            "actor_id": text,
            "data": text,
        }
        return self._arrow.schema(list(columns.items()), metadata={SELECTION_KEY: self._selection})


def _rows_with_day(envelopes: Iterable[dict[str, Any]], day: date) -> Iterator[tuple[date, dict[str, Any]]]:
    """Yield each event as a row, with the day of its file, which is `day` or later and never goes back."""
    for envelope in envelopes:
        row = _row(envelope)
        day = max(day, row["time"].date())
        yield day, row


def _row(envelope: dict[str, Any]) -> dict[str, Any]:
    actor = envelope["data"].get("actor", {})
    return {
        **envelope,
        "time": datetime.fromisoformat(envelope["time"]),
        "actor_type": actor.get("type"),
        "actor_id": actor.get("id"),
        "data": json.dumps(envelope["data"], ensure_ascii=False, separators=(",", ":")),
    }
