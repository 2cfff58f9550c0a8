"""Assurance level of stored sessions, next to the column that processes of the previous release use."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from adapters.postgres.maintenance import migrations as migrations_module
from adapters.postgres.maintenance.migrations import migrate, migrations
from application.sign_in.new_session import NewSession, token_hash
from domain.assurance_level import AssuranceLevel
from domain.event_metadata import ActorType, EventMetadata
from tests.postgres import connect, fetch

if TYPE_CHECKING:
    from api.bootstrap.service import Service

METADATA = EventMetadata(ActorType.ANONYMOUS)

FORMER_INSERT = (
    "INSERT INTO sessions (token_hash, session_id, account_id, person_id, restricted, opened_at, last_used_at, "
    "expires_at) VALUES (%s, %s, %s, %s, %s, now(), now(), now() + interval '1 hour')"
)
"""The statement of the previous release, without the columns that may be NULL."""


def insert_as_previous_release(url: str, *, restricted: bool) -> tuple[bytes, UUID]:
    """Insert a session, and return the hash of its token and its person."""
    hashed, person_id = token_hash(str(uuid4())), uuid4()
    fetch(url, FORMER_INSERT, hashed, uuid4(), uuid4(), person_id, restricted)
    return hashed, person_id


@pytest.mark.parametrize("assurance", AssuranceLevel)
def test_session_keeps_its_assurance_level(service: Service, database_url: str, assurance: AssuranceLevel) -> None:
    """A process of the previous release sees whether the session is restricted."""
    session = NewSession(uuid4(), uuid4(), assurance, service.clock())
    service.main_accounts.save(writes=[session.as_write(METADATA)])

    now = service.clock() + timedelta(seconds=1)
    stored: Any = service.queries.sessions.find(token_hash(session.token), now)
    assert stored.assurance is assurance
    assert service.queries.sessions.of_person(session.person_id, now) == [stored]
    assert fetch(database_url, "SELECT restricted FROM sessions WHERE session_id = %s", session.session_id) == [
        (assurance.is_restricted,)
    ]


@pytest.mark.parametrize(
    ("restricted", "assurance"), [(True, AssuranceLevel.TEMPORARY_PASSWORD), (False, AssuranceLevel.PASSWORD)]
)
def test_session_of_the_previous_release_gets_an_assurance_level(
    service: Service, database_url: str, *, restricted: bool, assurance: AssuranceLevel
) -> None:
    """A restricted session stays restricted while the previous release is being replaced."""
    hashed, _ = insert_as_previous_release(database_url, restricted=restricted)

    stored: Any = service.queries.sessions.find(hashed, service.clock())
    assert stored.assurance is assurance


def test_migration_keeps_open_sessions(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restricted sessions stay restricted, and the others have the level of a password."""
    scripts = migrations()
    number = next(script.number for script in scripts if script.name.endswith("_assurance_of_sessions.sql"))
    with connect(empty_database_url) as connection, monkeypatch.context() as patched:
        patched.setattr(migrations_module, "migrations", lambda: scripts[: number - 1])
        migrate(connection)
    _, restricted_person = insert_as_previous_release(empty_database_url, restricted=True)
    _, person = insert_as_previous_release(empty_database_url, restricted=False)

    with connect(empty_database_url) as connection:
        migrate(connection)

    rows = fetch(empty_database_url, "SELECT person_id, assurance, restricted FROM sessions")
    assert sorted(rows) == sorted([(restricted_person, "temporary_password", True), (person, "password", False)])
