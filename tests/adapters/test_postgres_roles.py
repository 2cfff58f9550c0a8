"""The running service adds to the history, and can neither alter nor delete any of it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from adapters.embedded_postgres.session import ADMINISTRATOR, ROLE
from adapters.postgres import roles
from adapters.postgres.migrations import MigrationError, migrate
from adapters.postgres.roles import LESS, USUAL, RoleError, ServiceRole
from api import bootstrap
from tests.postgres import ask, connect, for_service, service_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap import Service
    from api.config import Settings
    from tests.people import Company

EVERY = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

HELD = """
SELECT relname, array_agg(privilege) FILTER (WHERE has_table_privilege(%s, c.oid, privilege))
FROM pg_class c, unnest(%s::text[]) AS privilege
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
GROUP BY relname
"""

HISTORY = {"stored_events", "merkle_leaves", "merkle_nodes", "checkpoints", "signing_keys"}
"""Tables whose rows nobody but their owner may alter or delete."""

FORBIDDEN = [
    "UPDATE stored_events SET state = ''",
    "DELETE FROM stored_events",
    "TRUNCATE stored_events",
    "ALTER TABLE stored_events DISABLE TRIGGER ALL",
    "DROP TABLE stored_events",
    "CREATE RULE nothing AS ON INSERT TO stored_events DO INSTEAD NOTHING",
    "SELECT setval('stored_events_notification_id_seq', 1)",
    "SELECT * FROM stored_events FOR UPDATE",
    "BEGIN; LOCK TABLE stored_events IN ACCESS EXCLUSIVE MODE",
    "CREATE TABLE public.mine ()",
    "CREATE SCHEMA rebuild_mine",
    "UPDATE schema_migrations SET checksum = ''",
    "DELETE FROM api_keys",
    "TRUNCATE vault",
    "SET ROLE {owner}",
]


def rights_of(url: str) -> dict[str, set[str]]:
    """Return what the service's role may do with each table of a database."""
    return {table: set(held or ()) for table, held in ask(url, HELD, service_role(url).name, list(EVERY))}


def expected(url: str) -> dict[str, set[str]]:
    return {table: set(LESS.get(table, USUAL)) for table in rights_of(url)}


def test_every_table_has_the_rights_that_the_service_needs_and_no_others(database_url: str) -> None:
    """Also one of a migration to come: what is not named as the history is has the usual rights, and none TRUNCATE."""
    held = rights_of(database_url)

    assert held == expected(database_url)
    assert set(LESS) <= held.keys(), "what is named there is a table"
    assert {table for table in held if not held[table] & {"UPDATE", "DELETE"}} >= HISTORY


def test_what_the_service_cannot_do(service: Service, company: Company, database_url: str) -> None:
    """Whatever would alter the history, define anything, or become somebody who can is refused by the database."""
    owner = urlsplit(database_url).username or ""
    before = ask(database_url, "SELECT e::text FROM stored_events e ORDER BY notification_id")

    for statement in FORBIDDEN:
        inside = connect(service.settings.database_url or "")
        with closing(inside), pytest.raises(psycopg.errors.InsufficientPrivilege):
            inside.execute(statement.format(owner=owner).encode())

    assert before == ask(database_url, "SELECT e::text FROM stored_events e ORDER BY notification_id")
    company.let_in()


def test_it_owns_nothing(database_url: str) -> None:
    """Or it could grant itself what it likes."""
    role = service_role(database_url).name
    assert ask(database_url, "SELECT FROM pg_class WHERE pg_get_userbyid(relowner) = %s", role) == []
    assert ask(database_url, "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = %s", role) == [
        (False, False)
    ]


def test_migrating_grants_what_is_new(settings: Settings, database_url: str) -> None:
    """A table that a script adds is the service's to use once that has been run; what was granted by hand goes."""
    role = service_role(database_url).name
    ask(database_url, "CREATE TABLE of_a_later_release (id bigserial)")
    ask(database_url, f'GRANT UPDATE, TRUNCATE ON stored_events TO "{role}"')
    assert rights_of(database_url)["of_a_later_release"] == set()

    bootstrap.run_migrations(settings)

    assert rights_of(database_url) == expected(database_url)
    ask(settings.database_url or "", "INSERT INTO of_a_later_release DEFAULT VALUES")


def test_what_is_printed_does_the_same(database_url: str) -> None:
    """Run by somebody else, the SQL gives the role what it needs."""
    role = service_role(database_url).name
    with connect(database_url) as connection:
        script = roles.script(connection, role)
        assert f'CREATE ROLE "{role}"' not in script, "there it is"
        assert 'CREATE ROLE "another" LOGIN;' in roles.script(connection, "another")
        connection.execute(f'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "{role}"'.encode())
        connection.execute(script.encode())

    assert rights_of(database_url) == expected(database_url)


def test_a_role_that_may_not_be_created(database_url: str) -> None:
    """Is named, and what to do about it."""
    with connect(for_service(database_url)) as connection, pytest.raises(RoleError, match=r'^the role "nobody_yet" of'):
        roles.set_up(connection, ServiceRole("nobody_yet", "secret"))


def test_the_service_migrates_only_where_there_is_nothing_to_do(database_url: str) -> None:
    """Started with its own role, it finds that out, and says what else it takes."""
    with connect(for_service(database_url)) as connection:
        assert migrate(connection) == []

        ask(database_url, "DELETE FROM schema_migrations WHERE number > 8")
        with pytest.raises(MigrationError, match="SUBUSERS_ADMIN_DATABASE_URL"):
            migrate(connection)


def test_a_role_that_is_not_there_is_created(database_url: str) -> None:
    """With the password of its URL, where whoever migrates may create roles."""
    with another_role(database_url) as name:
        with connect(as_administrator(database_url)) as connection:
            migrate(connection, ServiceRole(name, "a password of its own"))

        parts = urlsplit(database_url)
        netloc = f"{name}:a password of its own@{parts.netloc.rpartition('@')[2]}".replace(" ", "%20")
        assert ask(parts._replace(netloc=netloc).geturl(), "SELECT count(*) FROM stored_events") == [(0,)]


def test_a_role_that_could_alter_the_history_is_refused(database_url: str) -> None:
    """Whatever it is granted: a member of the role that owns the tables can become that."""
    owner = urlsplit(database_url).username
    with another_role(database_url) as name, connect(as_administrator(database_url)) as connection:
        connection.execute(f'CREATE ROLE "{name}" NOINHERIT IN ROLE "{owner}"'.encode())

        with pytest.raises(MigrationError, match="could alter the history"):
            migrate(connection, ServiceRole(name))


def as_administrator(url: str) -> str:
    """Return the URL for somebody who may create roles: on a server of our own its administrator."""
    parts = urlsplit(url)
    user, _, rest = parts.netloc.partition(":")
    return parts._replace(netloc=f"{ADMINISTRATOR if user == ROLE else user}:{rest}").geturl()


@contextmanager
def another_role(url: str) -> Iterator[str]:
    """Lend the name of a role that is not there, and see to it that it is not there afterwards."""
    name = f"subusers_test_{uuid4().hex[:12]}"
    try:
        yield name
    finally:
        ask_all(as_administrator(url), f'DROP OWNED BY "{name}"', f'DROP ROLE "{name}"')


def ask_all(url: str, *statements: Any) -> None:
    for statement in statements:
        ask(url, statement)
