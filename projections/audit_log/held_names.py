"""Names of deleted sub-users under a legal hold, which the views no longer have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from application.ports.vault import VaultEntry
    from projections.runtime.freshness import Database

SQL = statements("projections.audit_log", "held_names")


def held_names(database: Database, entries: Mapping[UUID, VaultEntry], known_ids: Collection[str]) -> dict[str, str]:
    """Return the names, by id as text, of the people in `entries` that are not among the `known_ids`."""
    missing = [person_id for person_id in entries if str(person_id) not in known_ids]
    if not missing:
        return {}
    with database.get_connection() as connection:
        rows = connection.execute(SQL["held_names"], {"person_ids": missing}, prepare=True).fetchall()
    keys = {row["person_id"]: entries[row["person_id"]].key for row in rows}
    return {
        str(row["person_id"]): " ".join(
            [
                keys[row["person_id"]].decrypt("name", row["encrypted_name"]),
                keys[row["person_id"]].decrypt("surname", row["encrypted_surname"]),
            ]
        )
        for row in rows
    }
