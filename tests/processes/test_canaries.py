"""Canary values show that tables, files, logs and mails contain no leaked secrets or personal data."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from psycopg import sql

from tests.postgres import connect
from tests.processes import canaries
from tests.processes.canaries import decoded_text, mails_of, plant_canaries
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
    "wrong recovery code": canaries.WRONG_CODE,
    "device id": canaries.DEVICE,
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
OF_DELETED_SUB_USER = {"e-mail of a deleted sub-user": canaries.DELETED_EMAIL, "their name": canaries.DELETED_NAME}

MAIL_KIND_BY_SECRET = {
    "temporary password": "activation",
    "reset password": "reset",
    "generated password": "send_again",
    "invitation": "invitation",
    "confirmation link": "email_confirmation",
    "undo link": "owner_email_changed",
}
"""The only kind of mail that may contain each password or link."""

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"


def test_secrets_and_personal_data_are_not_leaked(open_folder: Path) -> None:
    """Check each class of data where it must not appear.

    Secrets: tables, files, logs, other mails. Personal data: event store and logs. Deleted sub-users: tables and logs.
    """
    key = master_key()
    with deployed(open_folder, master_key=key, server_processes=1) as deployment:
        (program,) = deployment.serve()
        portal_key, support_key = deployment.api_key(), deployment.api_key("support")
        with Portal(deployment.url, portal_key) as portal, Portal(deployment.url, support_key) as support:
            generated = plant_canaries(deployment, portal, support)
        url = deployment.embedded_database_url
        keys: Canaries = {"master key": key, "raw master key": base64.b64decode(key), "API key": portal_key}
        secrets: Canaries = {**PASSWORDS, **generated, **keys, "database password": urlsplit(url).password or ""}
        for command in (["status"], ["rebuild", "sub-users"], ["api-key", "list"]):
            assert deployment.run(*command).process.returncode == 0

        rows = fetch_all(url)
        assert {"stored_events", "stored_snapshots", "vault", "sessions", "kept_answers"} <= {row[0] for row in rows}
        assert leaks({**secrets, **OF_DELETED_SUB_USER}, rows) == []
        assert leaks(PERSONAL, [row for row in rows if row[0].startswith("stored_")]) == []

        program.end()
        server_log = deployment.folder / "postgres/server.log"
        logs = [("output", deployment.output.encode()), ("database's log", server_log.read_bytes())]
        assert b"POST" in logs[0][1]
        assert leaks({**secrets, **PERSONAL, **OF_DELETED_SUB_USER}, logs) == []
        assert leaks(secrets, files_of(deployment)) == []
        require_secrets_only_in_own_mails(deployment, secrets)


def require_secrets_only_in_own_mails(deployment: Deployment, secrets: Canaries) -> None:
    """Require each password and link in its own kind of mail, and no secret in any other mail."""
    for name, kind in MAIL_KIND_BY_SECRET.items():
        assert any(str(secrets[name]) in text for text in mails_of(deployment, kind)), name
    for file in deployment.mail_folder.iterdir():
        foreign = {
            name: secret for name, secret in secrets.items() if f"-{MAIL_KIND_BY_SECRET.get(name)}-" not in file.name
        }
        assert leaks(foreign, [(file.name, decoded_text(file).encode())]) == []


def fetch_all(url: str) -> list[tuple[str, bytes]]:
    """Return every row of every table as (table, text); `bytea` appears in hexadecimal."""
    with connect(url) as connection:
        tables = [table for (table,) in connection.execute(TABLES).fetchall()]
        query = sql.SQL("SELECT t::text FROM {} t")
        return [
            (table, row.encode())
            for table in tables
            for (row,) in connection.execute(query.format(sql.Identifier(table))).fetchall()
        ]


def files_of(deployment: Deployment) -> Iterable[tuple[str, bytes]]:
    """Yield the deployment's files, except mails, the database password and program output."""
    for file in sorted(deployment.folder.rglob("*")):
        if file.is_file() and file.suffix not in {".eml", ".out", ".err"} and file.name != "password":
            yield str(file.relative_to(deployment.folder)), file.read_bytes()


def leaks(canaries: Canaries, places: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """Return the (canary, place) pairs of every canary that occurs in any encoding."""
    patterns = [(name, encoding) for name, canary in canaries.items() for encoding in encodings_of(canary)]
    return [(name, place) for place, content in places for name, pattern in patterns if pattern in content]


def encodings_of(canary: str | bytes) -> set[bytes]:
    """Return a value as text, JSON, URL-quoted, hexadecimal and base64."""
    raw = canary.encode() if isinstance(canary, str) else canary
    encodings = {
        raw,
        raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"="),
        base64.urlsafe_b64encode(raw).rstrip(b"="),
    }
    if isinstance(canary, bytes):
        return encodings
    return encodings | {quote(canary).encode(), json.dumps(canary)[1:-1].encode(), canary.lower().encode()}
