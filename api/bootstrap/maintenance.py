"""Maintenance of a store without building the service: migrations, roles, verification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from adapters.ed25519 import verify as verify_signature
from adapters.postgres.maintenance import database_role
from adapters.postgres.maintenance.database_role import ServiceRole
from adapters.postgres.maintenance.migrations import MigrationError, migrate, pending
from adapters.postgres.tables import installation
from api.bootstrap.connections import connect, connect_for_maintenance
from application.errors import MerkleTreeDamaged, StoreUnavailable
from application.transparency.signed_note import VerifierKey
from application.transparency.tamper_locator import CannotVerify
from projections.transparency.checkpoints import signing_keys
from projections.transparency.proofs import consistency
from projections.transparency.store_check import StoreCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.bootstrap.config import Settings
    from application.transparency.checkpoint import Checkpoint
    from projections.transparency.store_check import ExternalCheckpoint, Verdict


SCHEMA_NOT_UP_TO_DATE = "the database's schema is not up to date: run `subusers migrate` first"

__all__ = [
    "MigrationError",
    "add_default_source",
    "check_store",
    "consistency_proof",
    "pending_migrations",
    "role_script",
    "run_migrations",
    "store_source",
]


def run_migrations(settings: Settings) -> Sequence[str]:
    """Update the schema and the rights of the service's role, and return the names of the migrations that ran.

    Then store the source of events, if it is configured. Raises `MigrationError` or `StoreUnavailable`.
    """
    role = None
    if settings.admin_database_url is not None:
        parameters = conninfo_to_dict(settings.database_url or "")
        password = str(parameters["password"]) if parameters.get("password") else None
        role = ServiceRole(str(parameters["user"]), password)
    try:
        with connect_for_maintenance(settings.owner_url, "migrate") as connection:
            names = migrate(connection, role)
            if settings.source is not None:
                installation.set_source(connection, settings.source)
            return names
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error


def store_source(settings: Settings) -> None:
    """Store the source of events if it is configured. Raises `StoreUnavailable`."""
    if settings.source is None:
        return
    try:
        with connect(settings.database_url or "", "installation") as connection:
            installation.set_source(connection, settings.source)
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error


def add_default_source(settings: Settings) -> None:
    """Store the public URL as the source of events unless a source is stored. Raises `StoreUnavailable`."""
    try:
        with connect(settings.database_url or "", "installation") as connection:
            installation.add_source(connection, settings.public_url)
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error


def pending_migrations(url: str) -> Sequence[str]:
    """Return the names of the migrations that have not run. Raises `StoreUnavailable`."""
    try:
        with connect(url, "status") as connection:
            return pending(connection)
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error


def role_script(settings: Settings, name: str) -> str:
    """Return the SQL that sets up a role for the service. Raises `StoreUnavailable`."""
    try:
        with connect(settings.owner_url, "migrate") as connection:
            return database_role.setup_script(connection, name)
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error


def check_store(
    settings: Settings,
    trusted: Sequence[bytes | VerifierKey],
    external_checkpoints: Sequence[ExternalCheckpoint],
    progress: Callable[[int, int], None],
) -> Verdict:
    """Verify the whole store. Raises `CannotVerify` or `StoreUnavailable`."""
    url = settings.database_url or ""
    try:
        if pending_migrations(url):
            raise CannotVerify(SCHEMA_NOT_UP_TO_DATE)
        with connect_for_maintenance(url, "verify") as events, connect_for_maintenance(url, "verify") as tree:
            return StoreCheck(events, tree, trusted, verify_signature, external_checkpoints, progress).run()
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error


def consistency_proof(settings: Settings, old: Checkpoint, new: Checkpoint) -> Sequence[bytes] | None:
    """Return the proof that one checkpoint continues another, None if the store cannot provide it.

    Raises `StoreUnavailable`, and `CannotVerify` if the database is not the store of the checkpoints.
    """
    url = settings.database_url or ""
    try:
        if pending_migrations(url):
            raise CannotVerify(SCHEMA_NOT_UP_TO_DATE)
        with connect(url, "verify") as connection:
            if not any(VerifierKey.parse(key.verifier_key).name == old.origin for key in signing_keys(connection)):
                raise CannotVerify(f"the database is not the store {old.origin}, whose tree the proof needs")
            return consistency(connection, old.tree_size, new.tree_size)
    except psycopg.OperationalError as error:
        raise StoreUnavailable from error
    except MerkleTreeDamaged:
        return None
