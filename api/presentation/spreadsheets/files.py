"""Files for people's spreadsheets: CSV as Excel and LibreOffice open it in a language, and `.xlsx`."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import xlsxwriter

from api.presentation.spreadsheets.csv_cells import BYTE_ORDER_MARK, csv_line
from application.display_text import escape_unprintable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

SEPARATORS = {"en": ",", "it": ";"}
"""List separators. Where the comma separates decimals, spreadsheets expect a semicolon between cells."""

TIME_FORMATS = {"en": "%Y-%m-%d %H:%M:%S", "it": "%d/%m/%Y %H:%M:%S"}
"""Formats that spreadsheets recognize as times. In English, day and month have another order in each country."""

CELL_FORMATS = {"en": "yyyy-mm-dd hh:mm:ss", "it": "dd/mm/yyyy hh:mm:ss"}

MAX_ROWS_PER_SHEET = 1_000_000
"""Excel opens up to 1,048,576 rows."""

MAX_CELL_LENGTH = 32_767
"""Characters that Excel allows in a cell."""

ROWS_PER_BLOCK = 20

COLUMN_WIDTH = 24

Cell = str | int | float | datetime | None
"""Value of a cell. Times are local, without a zone."""


def csv_blocks(header: Sequence[str], rows: Iterable[Sequence[Cell]], language: str) -> Iterator[bytes]:
    """Yield the lines of a CSV file for spreadsheets in a language, several at a time, with a byte order mark."""
    separator, time_format = SEPARATORS[language], TIME_FORMATS[language]
    yield BYTE_ORDER_MARK + csv_line(tuple(header), separator)
    remaining = iter(rows)
    while block := list(islice(remaining, ROWS_PER_BLOCK)):
        lines = ([_csv_value(cell, language, time_format) for cell in row] for row in block)
        yield b"".join([csv_line(tuple(line), separator) for line in lines])


def write_xlsx(
    file: BinaryIO, title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], language: str
) -> None:
    """Write an `.xlsx` file row by row, with constant memory. Texts are never formulas or links."""
    workbook = xlsxwriter.Workbook(file, {"constant_memory": True})
    time_format = workbook.add_format({"num_format": CELL_FORMATS[language], "align": "left"})
    sheet = _add_sheet(workbook, title, header)
    for index, row in enumerate(rows):
        number = index % MAX_ROWS_PER_SHEET + 1
        if index and number == 1:
            sheet = _add_sheet(workbook, f"{title} {index // MAX_ROWS_PER_SHEET + 1}", header)
        for column, cell in enumerate(row):
            match cell:
                case None:
                    pass
                case datetime():
                    sheet.write_datetime(number, column, cell, time_format)
                case str():
                    sheet.write_string(number, column, escape_unprintable(cell)[:MAX_CELL_LENGTH])
                case _:
                    sheet.write_number(number, column, cell)
    workbook.close()


def _add_sheet(workbook: Workbook, title: str, header: Sequence[str]) -> Worksheet:
    sheet = workbook.add_worksheet(title)
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(header) - 1, COLUMN_WIDTH)
    bold = workbook.add_format({"bold": True})
    for column, name in enumerate(header):
        sheet.write_string(0, column, name, bold)
    return sheet


def _csv_value(cell: Cell, language: str, time_format: str) -> str | int | None:
    if isinstance(cell, datetime):
        return cell.strftime(time_format)
    if isinstance(cell, float):
        return str(cell).replace(".", ",") if language == "it" else str(cell)
    return cell
