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
ROW_SOURCES = {"fetch_all", "execute", "fetchone", "fetchall"}
ROW_NAMES = {"row", "rows", "cursor"}


def violations(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="psycopg.rows") if any(name.name == "tuple_row" for name in node.names):
                yield f"line {node.lineno}: tuple_row; scalar_row or namedtuple_row name the columns"
            case ast.Starred(value=value) if is_row(value) and not isinstance(node.ctx, ast.Store):
                yield f"line {node.lineno}: *row"
            case ast.Subscript(value=value, slice=index) if is_row(value) and is_position(index):
                yield f"line {node.lineno}: a column by its position"
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                if is_tuple(target) and is_rows(value):
                    yield f"line {target.lineno}: columns unpacked in a loop"
            case ast.Assign(targets=[ast.Tuple(elts=[target])], value=value) if is_tuple(target) and is_rows(value):
                yield f"line {node.lineno}: columns unpacked"


def is_tuple(target: ast.expr) -> bool:
    return isinstance(target, ast.Tuple) and len(target.elts) > 1


def is_row(node: ast.expr) -> bool:
    """Return whether an expression is named `row`, is an element of `rows`, or is part of a row."""
    match node:
        case ast.Name(id="row"):
            return True
        case ast.Subscript(value=ast.Name(id="rows"), slice=index):
            return not isinstance(index, ast.Slice)
        case ast.Subscript(value=value):
            return is_row(value)
    return False


def is_rows(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name):
            return name in ROW_NAMES
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in ROW_SOURCES
    return False


def is_position(node: ast.expr) -> bool:
    match node:
        case ast.Slice():
            return True
        case ast.Constant(value=int()) | ast.UnaryOp(operand=ast.Constant(value=int())):
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
    ],
)
def test_access_by_position_is_detected(code: str) -> None:
    assert list(violations(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    ["Session(**row)", "x = row['a']", "x = rows[-1].position", "x = rows[:limit]", "(row,) = fetch_all(c, q)"],
)
def test_access_by_name_is_allowed(code: str) -> None:
    assert not list(violations(ast.parse(code)))
