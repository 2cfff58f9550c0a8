"""Table of devices from which people have signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.postgres.prepared_statements import fetch_all
from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.sign_in", "devices")


class PostgresDevices:
    """Reads the table `devices`, which transactional writes maintain."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def is_known(self, person_id: UUID, device_hash: bytes) -> bool:
        """Return whether a person has signed in from this device."""
        with self._database.get_connection() as connection:
            return bool(fetch_all(connection, SQL["find_device"], {"person_id": person_id, "device_hash": device_hash}))

    def has_any(self, person_id: UUID) -> bool:
        """Return whether a person has signed in from any known device."""
        with self._database.get_connection() as connection:
            return bool(fetch_all(connection, SQL["find_any_device"], {"person_id": person_id}))
