"""Secrets and personal data leave no trace where they do not belong: marked ones are planted, then looked for."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from psycopg import sql

from tests.postgres import connect
from tests.processes import canaries
from tests.processes.canaries import clear_text, live, mails_of
from tests.processes.deployment import deployed, master_key
from tests.processes.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.processes.deployment import Deployment

    Canaries = Mapping[str, str | bytes]

PASSWORDS = {
    "temporary password": canaries.TEMPORARY,
    "reset password": canaries.RESET,
    "own password": canaries.OWN,
    "mistyped password": canaries.MISTYPED,
    "owner's password": canaries.OWNERS,
    "refused password": canaries.REFUSED,
    "wrong API key": canaries.WRONG_KEY,
    "wrong token": canaries.WRONG_TOKEN,
}
PERSONAL = {
    "e-mail": canaries.EMAIL,
    "owner's e-mail": canaries.OWNERS_EMAIL,
    "name": canaries.NAME,
    "surname": canaries.SURNAME,
    "company": canaries.COMPANY,
    "IP address": canaries.IP,
    "user agent": canaries.AGENT,
    "target": canaries.TARGET,
    "details": canaries.DETAIL,
    "reason": canaries.REASON,
}
OF_SOMEBODY_DELETED = {"e-mail of somebody deleted": canaries.GONE_EMAIL, "their name": canaries.GONE_NAME}

CARRIED_BY = {"temporary password": "activation", "reset password": "reset", "generated password": "send_again"}
"""The one kind of mail that a password is meant for."""

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"


def test_canaries_stay_where_they_belong(open_folder: Path) -> None:
    """No secret is in a table, file, log or wrong mail, nothing personal in history or log, nobody deleted in a row."""
    key = master_key()
    with deployed(open_folder, master_key=key, processes=1) as deployment:
        (program,) = deployment.serve()
        portal_key, support_key = deployment.api_key(), deployment.api_key("support")
        with Portal(deployment.url, portal_key) as portal, Portal(deployment.url, support_key) as support:
            given_out = live(deployment, portal, support)
        url = deployment.embedded_database_url
        keys: Canaries = {"master key": key, "raw master key": base64.b64decode(key), "API key": portal_key}
        secrets: Canaries = {**PASSWORDS, **given_out, **keys, "database password": urlsplit(url).password or ""}
        for command in (["status"], ["rebuild", "sub-users"], ["api-key", "list"]):
            assert deployment.run(*command).process.returncode == 0

        rows = rows_of(url)
        assert {"stored_events", "stored_snapshots", "vault", "sessions", "kept_answers"} <= {row[0] for row in rows}
        assert found({**secrets, **OF_SOMEBODY_DELETED}, rows) == []
        assert found(PERSONAL, [row for row in rows if row[0].startswith("stored_")]) == []

        program.end()
        server_log = deployment.folder / "postgres/server.log"
        logs = [("output", deployment.said.encode()), ("database's log", server_log.read_bytes())]
        assert b"POST" in logs[0][1]
        assert found({**secrets, **PERSONAL, **OF_SOMEBODY_DELETED}, logs) == []
        assert found(secrets, files_of(deployment)) == []
        require_mailed_where_meant(deployment, secrets)


def require_mailed_where_meant(deployment: Deployment, secrets: Canaries) -> None:
    """A password is in the mail that carries it, and no secret is in any other."""
    for name, kind in CARRIED_BY.items():
        assert any(str(secrets[name]) in text for text in mails_of(deployment, kind)), name
    for file in deployment.mail_folder.iterdir():
        not_meant = {name: secret for name, secret in secrets.items() if f"-{CARRIED_BY.get(name)}-" not in file.name}
        assert found(not_meant, [(file.name, clear_text(file).encode())]) == []


def rows_of(url: str) -> list[tuple[str, bytes]]:
    """Return every row of every table as text, with its table's name; bytes show as hexadecimal."""
    with connect(url) as connection:
        tables = [table for (table,) in connection.execute(TABLES).fetchall()]
        query = sql.SQL("SELECT t::text FROM {} t")
        return [
            (table, row.encode())
            for table in tables
            for (row,) in connection.execute(query.format(sql.Identifier(table))).fetchall()
        ]


def files_of(deployment: Deployment) -> Iterable[tuple[str, bytes]]:
    """Return every file of the service's, but the mails, the password of its database, and what programs wrote."""
    for file in sorted(deployment.folder.rglob("*")):
        if file.is_file() and file.suffix not in {".eml", ".out", ".err"} and file.name != "password":
            yield str(file.relative_to(deployment.folder)), file.read_bytes()


def found(canaries: Canaries, places: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """Return which canary is where, in any spelling."""
    spelled = [(name, spelling) for name, canary in canaries.items() for spelling in spellings(canary)]
    return [(name, place) for place, content in places for name, spelling in spelled if spelling in content]


def spellings(canary: str | bytes) -> set[bytes]:
    """Return what a value may look like in text, in bytes, in JSON, in a URL, and encoded."""
    raw = canary.encode() if isinstance(canary, str) else canary
    encoded = {raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")}
    if isinstance(canary, bytes):
        return encoded
    return encoded | {quote(canary).encode(), json.dumps(canary)[1:-1].encode(), canary.lower().encode()}
