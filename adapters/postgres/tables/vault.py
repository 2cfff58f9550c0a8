"""Vault of people's data keys and passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.encryption import DataKey, UnknownMasterKey, new_key
from adapters.postgres.prepared_statements import fetch_all
from adapters.postgres.sql_files import statements
from application.errors import MasterKeyMissing
from application.ports.vault import VaultEntry
from application.transactional_writes import StoreDataKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

    from adapters.encryption import MasterKeys
    from application.ports.vault import PersonKey

SQL = statements("adapters.postgres.tables", "vault")


class PostgresVault:
    """Vault on the tables `vault` and `service_keys`. Commands change entries through transactional writes."""

    def __init__(self, database: PostgresDatastore, master_keys: MasterKeys) -> None:
        self._database = database
        self._master_keys = master_keys

    def new_data_key(self, person_id: UUID, account_id: UUID) -> tuple[PersonKey, StoreDataKey]:
        """Generate a data key, and return it with the transactional write that stores it."""
        key = new_key()
        wrapped = self._master_keys.wrap(str(person_id), key)
        return DataKey(person_id, key), StoreDataKey(person_id, account_id, wrapped, self._master_keys.current_id)

    def entries(self, person_ids: Sequence[UUID]) -> Mapping[UUID, VaultEntry]:
        """Return the vault entries of people by id. People without an entry are left out. Raises `MasterKeyMissing`."""
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["find_entries"], {"person_ids": list(person_ids)})
        return {row.person_id: self.entry(**row._asdict()) for row in rows}

    def person_ids_of(self, account_id: UUID) -> set[UUID]:
        """Return the people of an account who have an entry: its owner, and sub-users who were not erased."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["person_ids_of"], {"account_id": account_id}).fetchall()
        return {row["person_id"] for row in rows}

    def service_key(self, name: str) -> bytes:
        """Return a key of the service, generated on first use. Raises `UnknownMasterKey`."""
        owner = f"service key {name}"
        wrapped = self._master_keys.wrap(owner, new_key())
        new_row = {"name": name, "master_key_id": self._master_keys.current_id, "wrapped_key": wrapped}
        with self._database.get_connection() as connection:
            connection.execute(SQL["add_service_key"], new_row)
            row = connection.execute(SQL["find_service_key"], {"name": name}).fetchone()
        if row is None:
            raise LookupError(name)
        return self._master_keys.unwrap(owner, row["master_key_id"], row["wrapped_key"])

    def entry(self, *, person_id: UUID, master_key_id: str, wrapped_key: bytes, **columns: Any) -> VaultEntry:
        """Return the entry of a row; `columns` become the fields of the same names. Raises `MasterKeyMissing`."""
        try:
            key = self._master_keys.unwrap(str(person_id), master_key_id, wrapped_key)
        except UnknownMasterKey as error:
            raise MasterKeyMissing from error
        return VaultEntry(person_id=person_id, key=DataKey(person_id, key), **columns)
