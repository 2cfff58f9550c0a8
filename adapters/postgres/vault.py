"""Keeps each person's data key and password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.encryption import DataKey, UnknownMasterKey, new_key
from application.errors import MasterKeyMissing
from application.ports import VaultEntry
from application.records import PersonAdded
from projections.round_trips import rows_of
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

    from adapters.encryption import MasterKeys
    from application.ports import PersonKey

SQL = statements("adapters.postgres", "vault")


class PostgresVault:
    """The vault, in the table of that name."""

    def __init__(self, database: PostgresDatastore, master_keys: MasterKeys) -> None:
        self._database = database
        self._master_keys = master_keys

    def new_person(self, person_id: UUID, account_id: UUID) -> tuple[PersonKey, PersonAdded]:
        """Make a data key; it is kept once the record is saved."""
        key = new_key()
        wrapped = self._master_keys.wrap(str(person_id), key)
        return DataKey(person_id, key), PersonAdded(person_id, account_id, wrapped, self._master_keys.current_id)

    def entries(self, person_ids: Sequence[UUID]) -> Mapping[UUID, VaultEntry]:
        """Return the entries of those who have one."""
        with self._database.get_connection() as connection:
            rows = rows_of(connection, SQL["find_entries"], {"person_ids": list(person_ids)})
        return {row[0]: self.entry(*row) for row in rows}

    def people_of(self, account_id: UUID) -> set[UUID]:
        """Return everybody in an account who has an entry: its owner, and sub-users who were not erased."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["people_of"], {"account_id": account_id}).fetchall()
        return {row["person_id"] for row in rows}

    def service_key(self, name: str) -> bytes:
        """Return a key of the service's own, made when first asked for. Raises `UnknownMasterKey`."""
        owner = f"service key {name}"
        wrapped = self._master_keys.wrap(owner, new_key())
        fresh = {"name": name, "master_key_id": self._master_keys.current_id, "wrapped_key": wrapped}
        with self._database.get_connection() as connection:
            connection.execute(SQL["add_service_key"], fresh)
            row = connection.execute(SQL["find_service_key"], {"name": name}).fetchone()
        if row is None:
            raise LookupError(name)
        return self._master_keys.unwrap(owner, row["master_key_id"], row["wrapped_key"])

    def entry(
        self, person_id: UUID, account_id: UUID, master_key_id: str, wrapped_key: bytes, *rest: Any
    ) -> VaultEntry:
        """Return an entry of its row: the rest is what `VaultEntry` has besides the key, in its order."""
        try:
            key = self._master_keys.unwrap(str(person_id), master_key_id, wrapped_key)
        except UnknownMasterKey as error:
            raise MasterKeyMissing from error
        return VaultEntry(person_id, account_id, DataKey(person_id, key), *rest)
