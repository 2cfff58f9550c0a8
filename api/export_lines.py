"""An export in each of its forms, line by line: the same over HTTP and on the command line."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from api.action_words import ActionWords
from api.http.audit_csv import CSV_COLUMNS, ROW, csv_line, flat
from api.ocsf import ocsf_end, ocsf_event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from projections.exports import Export, Exported


class Form(StrEnum):
    """What an export can be had as."""

    JSONL = "jsonl"
    CSV = "csv"
    OCSF = "ocsf"

    @property
    def proven(self) -> bool:
        """Whether it comes with proofs."""
        return self is Form.JSONL

    @property
    def content_type(self) -> str:
        """What it is on the wire."""
        return "text/csv; charset=utf-8" if self is Form.CSV else "application/x-ndjson"

    @property
    def ending(self) -> str:
        """How the name of a file ends that holds it."""
        return {Form.JSONL: "jsonl", Form.CSV: "csv", Form.OCSF: "ocsf.jsonl"}[self]


COLUMNS = (CSV_COLUMNS[0], "account_id", *CSV_COLUMNS[1:])


def lines(export: Export, form: Form, at: datetime) -> Iterator[bytes]:
    """Return the lines of an export that was begun at that moment; the last one tells that it is whole."""
    match form:
        case Form.JSONL:
            return (_json(line) for line in export.lines(_shown))
        case Form.CSV:
            return _csv(export)
        case Form.OCSF:
            return _ocsf(export, at)


def _csv(export: Export) -> Iterator[bytes]:
    if not export.resumed:
        yield csv_line(COLUMNS)
    for one in export.rows():
        cells = {**flat(one.row), "account_id": one.account_id}
        yield csv_line(tuple(cells[column] for column in COLUMNS))
    end = {"position": "end", "details": json.dumps({"events": export.events})}
    yield csv_line(tuple(end.get(column) for column in COLUMNS))


def _ocsf(export: Export, at: datetime) -> Iterator[bytes]:
    for one in export.rows():
        yield _json(ocsf_event(one, ActionWords(names=one.names).sentence(one.row), ROW.dump(one.row)))
    yield _json(ocsf_end(export.events, export.end, at))


def _shown(one: Exported) -> dict[str, Any]:
    words = ActionWords(names=one.names).sentence(one.row)
    return {**ROW.dump(one.row), "account_id": str(one.account_id) if one.account_id else None, "in_words": words}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str).encode() + b"\n"
