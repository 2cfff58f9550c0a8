"""Database rows are read by column name, never by position, so that statements can change their column order."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SOURCES = [
    path.relative_to(ROOT)
    for folder in ("adapters/postgres", "projections", "application", "api")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
ROWS_FUNCTIONS = {"fetch_all", "execute", "fetchall"}
ROWS_NAMES = {"rows", "cursor"}


def violations(tree: ast.AST) -> Iterator[str]:
    """Yield a message for each place that reads a column by its position."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="psycopg.rows") if any(name.name == "tuple_row" for name in node.names):
                yield f"line {node.lineno}: tuple_row imported; use scalar_row or namedtuple_row"
            case ast.Starred(value=value) if is_row(value) and not isinstance(node.ctx, ast.Store):
                yield f"line {node.lineno}: columns passed by position"
            case ast.Subscript(value=value, slice=index) if is_row(value) and not is_column_name(index):
                yield f"line {node.lineno}: a column read by its position"
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                if is_sequence(target) and is_rows(value):
                    yield f"line {target.lineno}: columns unpacked in a loop"
            case ast.Assign(targets=targets, value=value) if any(unpacks_a_row(target, value) for target in targets):
                yield f"line {node.lineno}: columns unpacked"


def unpacks_a_row(target: ast.expr, value: ast.expr) -> bool:
    """Return whether an assignment unpacks a row, or the rows in a sequence of rows."""
    if not isinstance(target, ast.Tuple | ast.List):
        return False
    return (is_row(value) and is_sequence(target)) or (is_rows(value) and any(map(is_sequence, target.elts)))


def is_sequence(target: ast.expr) -> bool:
    """Return whether an assignment target has several elements. A row of one column may be unpacked."""
    return isinstance(target, ast.Tuple | ast.List) and len(target.elts) > 1


def is_row(node: ast.expr) -> bool:
    """Return whether an expression is named `row`, fetches a row, is an element of rows, or is a part of a row."""
    match node:
        case ast.Name(id="row") | ast.Call(func=ast.Attribute(attr="fetchone")):
            return True
        case ast.BoolOp(values=values):
            return any(map(is_row, values))
        case ast.Subscript(value=value, slice=ast.Slice()):
            return is_row(value)
        case ast.Subscript(value=value):
            return is_rows(value) or is_row(value)
    return False


def is_rows(node: ast.expr) -> bool:
    """Return whether an expression is a cursor or a sequence of rows."""
    match node:
        case ast.Name(id=name):
            return name in ROWS_NAMES
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in ROWS_FUNCTIONS
        case ast.BoolOp(values=values):
            return any(map(is_rows, values))
        case ast.Subscript(value=value, slice=ast.Slice()):
            return is_rows(value)
    return False


def is_column_name(index: ast.expr) -> bool:
    """Return whether an index is a string, or a variable with the name of a column, called `name`."""
    match index:
        case ast.Constant(value=str()) | ast.Name(id="name"):
            return True
    return False


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_rows_are_read_by_column_name(source: Path) -> None:
    """Reordering or inserting columns in a select list must not change the result."""
    assert list(violations(ast.parse((ROOT / source).read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "code",
    [
        "from psycopg.rows import tuple_row",
        "Session(*row)",
        "Details(*rows[0])",
        "Details(*row[2:-1])",
        "x = row[1]",
        "x = rows[0][1]",
        "x = row[2:]",
        "[f(a, b) for a, b in fetch_all(c, q, {})]",
        "for a, b in cursor.execute(q).fetchall(): pass",
        "((a, b),) = fetch_all(c, q, {})",
        "((a, b), (c, d)) = fetch_all(c, q)",
        "a, b = row",
        "[a, b] = row",
        "a, b = rows[0]",
        "a, b = rows[:1][0]",
        "a, b = c.execute(q).fetchone()",
        "a, b = c.execute(q).fetchone() or (None, None)",
        "x = c.fetchone()[0]",
        "x = fetch_all(c, q)[0][1]",
        "x = row[i]",
    ],
)
def test_access_by_position_is_detected(code: str) -> None:
    assert list(violations(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "Session(**row)",
        "x = row['a']",
        "x = {name: row[name] for name in COLUMNS}",
        "x = rows[-1].position",
        "x = rows[:limit]",
        "(row,) = fetch_all(c, q)",
        "first, second = rows",
        "row = c.execute(q).fetchone()",
    ],
)
def test_access_by_name_is_allowed(code: str) -> None:
    assert not list(violations(ast.parse(code)))
