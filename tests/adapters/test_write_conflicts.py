"""Concurrent transactional writes: a row that another command has just written is a conflict, no internal error."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.postgres.event_store.recorder import CONFLICTS, WRITES, Recorder
from application.errors import VersionConflict
from application.transactional_writes import (
    AddAccountToDirectory,
    AddFormerEmail,
    LockAccountInDirectory,
    PlaceLegalHold,
    RemoveAccountFromDirectory,
    StoreLink,
    TransactionalWrite,
)
from domain.event_metadata import Ciphertext
from domain.mails import LinkPurpose
from tests.postgres import LOCK_WAITERS, append, connect, fetch
from tests.waiting import eventually

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock

RANDOM = "the value is random, or one that nobody else writes"
UPSERTED = "the statement has ON CONFLICT"
UNVIOLATED = {
    "vault_pkey": RANDOM,
    "sessions_pkey": RANDOM,
    "sessions_session_id_key": RANDOM,
    "mailed_links_pkey": RANDOM,
    "api_keys_pkey": RANDOM,
    "api_keys_key_hash_key": RANDOM,
    "webhooks_pkey": RANDOM,
    "webhook_secrets_pkey": RANDOM,
    "account_roles_pkey": RANDOM,
    "role_grants_pkey": RANDOM,
    "second_factors_pkey": RANDOM,
    "recovery_codes_pkey": RANDOM,
    "devices_pkey": UPSERTED,
    "mailed_links_person_idx": UPSERTED,
    "throttle_pkey": UPSERTED,
    "accounts_requiring_second_factor_pkey": UPSERTED,
    "account_directory_account_idx": "`LockAccountInDirectory` comes first",
}
"""Unique indexes that concurrent commands cannot violate, with the reason."""


def test_every_unique_index_has_a_conflict_or_a_reason(database_url: str) -> None:
    """An index that is missing here would answer a race with an internal error."""
    tables = sorted({table for sql in WRITES.values() for table in re.findall(r"INSERT INTO (\w+)", sql)})
    indexes = {
        name
        for (name,) in fetch(
            database_url,
            "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid "
            "WHERE i.indisunique AND t.relname = ANY(%s)",
            tables,
        )
    }
    assert indexes - CONFLICTS.keys() == UNVIOLATED.keys()


def stored_event(account_id: UUID) -> StoredEvent:
    return StoredEvent(account_id, 2, "Something", b"{}")


def changes_of(case: str, account_id: UUID, clock: TravelingClock) -> list[TransactionalWrite]:
    """Return writes that two commands on one account decide on the same version."""
    at = clock()
    if case == "e-mail":
        return [
            LockAccountInDirectory(account_id),
            RemoveAccountFromDirectory(account_id),
            AddAccountToDirectory("new", account_id),
            AddFormerEmail("old", account_id, at),
        ]
    if case == "link":
        secret = Ciphertext("secret")
        return [StoreLink(uuid4().bytes, LinkPurpose.EMAIL_UNDO, account_id, account_id, 2, at, secret)]
    return [PlaceLegalHold(account_id, account_id, at, Ciphertext("name"), Ciphertext("surname"))]


@pytest.mark.parametrize("case", ["e-mail", "link", "legal hold"])
def test_second_of_two_overlapping_commands_has_a_version_conflict(
    service: Service, database_url: str, clock: TravelingClock, case: str
) -> None:
    """It waits for the first one, whose rows it then meets."""
    recorder, account_id = service.main_accounts.recorder, uuid4()
    assert isinstance(recorder, Recorder)
    recorder.insert_events(
        [StoredEvent(account_id, 1, "Something", b"{}")], writes=[AddAccountToDirectory("old", account_id)]
    )
    errors: list[Exception] = []

    def second() -> None:
        try:
            recorder.insert_events([stored_event(account_id)], writes=changes_of(case, account_id, clock))
        except Exception as error:  # noqa: BLE001  # checked below
            errors.append(error)

    with connect(database_url) as connection, connection.transaction():
        for write in changes_of(case, account_id, clock):
            connection.execute(WRITES[type(write).__name__].encode(), vars(write))
        thread = threading.Thread(target=second)
        thread.start()
        eventually(lambda: bool(fetch(database_url, LOCK_WAITERS)))
        append(connection, stored_event(account_id))
    thread.join(30)
    assert [type(error) for error in errors] == [VersionConflict]
