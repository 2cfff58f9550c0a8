"""Contents of all tables of a database, and the search for a value in them."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

from psycopg import sql

from tests.postgres import connect

MIN_BASE64_LENGTH = 8
"""Shorter base64 strings match ciphertext by chance: four characters are in every encrypted value."""


def contents(url: str) -> dict[str, bytes]:
    """Return the text of each table; for byte columns, also their decoded content."""
    with connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        select = "SELECT t::text FROM {} t"
        queries = {row[0]: sql.SQL(select).format(sql.Identifier(row[0])) for row in rows}
        texts = {table: "\n".join(row[0] for row in connection.execute(query)) for table, query in queries.items()}
    hex_values = {table: re.findall(r"\\x((?:[0-9a-f]{2})+)", text) for table, text in texts.items()}
    return {
        table: text.encode() + b"".join(b"\n" + bytes.fromhex(value) for value in hex_values[table])
        for table, text in texts.items()
    }


def tables_containing(contents_by_table: dict[str, bytes], needle: str | bytes) -> set[str]:
    """Return the tables that contain this value in any encoding."""
    encodings = encodings_of(needle)
    return {
        table for table, text in contents_by_table.items() if any(encoding in text.lower() for encoding in encodings)
    }


def encodings_of(needle: str | bytes) -> list[bytes]:
    """Return a value as plain text, JSON, URL-encoded, hexadecimal and base64, all in lower case.

    Base64 is included for all three offsets if the value has nine bytes or more.
    """
    raw = needle if isinstance(needle, bytes) else needle.encode()
    text = [] if isinstance(needle, bytes) else [json.dumps(needle)[1:-1].encode(), quote(needle, safe="").encode()]
    encodings = [raw, raw.hex().encode(), *text]
    for offset in range(3):  # base64 encodes groups of three bytes: the value may start at any offset in a group
        encoded = base64.b64encode(b"?" * offset + raw)[4 if offset else 0 :]
        complete = encoded[: len(encoded) - 4] if (offset + len(raw)) % 3 else encoded
        if len(complete) >= MIN_BASE64_LENGTH:
            encodings += [complete, complete.translate(bytes.maketrans(b"+/", b"-_"))]
    return [encoding.lower() for encoding in encodings]
