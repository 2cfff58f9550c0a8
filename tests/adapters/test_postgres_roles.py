"""Database role of the service: it can append to the history but not change or delete it."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import tuple_row

from adapters.embedded_postgres.session import ADMINISTRATOR, ROLE
from adapters.postgres.maintenance import database_role
from adapters.postgres.maintenance.database_role import DEFAULT_GRANTS, RESTRICTED_GRANTS, RoleError, ServiceRole
from adapters.postgres.maintenance.migrations import MigrationError, migrate
from api.bootstrap import connections, maintenance
from tests.postgres import connect, fetch, service_role, service_role_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.builders import Company

ALL_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

TABLE_PRIVILEGES = """
SELECT relname, array_agg(privilege) FILTER (WHERE has_table_privilege(%s, c.oid, privilege))
FROM pg_class c, unnest(%s::text[]) AS privilege
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
GROUP BY relname
"""

HISTORY = {"stored_events", "merkle_leaves", "merkle_nodes", "checkpoints", "signing_keys"}
"""Tables whose rows only the owner may update or delete."""

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


def privileges_by_table(url: str) -> dict[str, set[str]]:
    """Return the privileges of the service's role by table."""
    return {
        table: set(privileges or ())
        for table, privileges in fetch(url, TABLE_PRIVILEGES, service_role(url).name, list(ALL_PRIVILEGES))
    }


def expected_privileges(url: str) -> dict[str, set[str]]:
    return {table: set(RESTRICTED_GRANTS.get(table, DEFAULT_GRANTS)) for table in privileges_by_table(url)}


def test_service_role_has_exactly_the_expected_table_privileges(database_url: str) -> None:
    """Tables without an entry in `RESTRICTED_GRANTS` get the default grants, also those of later migrations."""
    privileges = privileges_by_table(database_url)

    assert privileges == expected_privileges(database_url)
    assert set(RESTRICTED_GRANTS) <= privileges.keys(), "RESTRICTED_GRANTS names a missing table"
    assert {table for table in privileges if not privileges[table] & {"UPDATE", "DELETE"}} >= HISTORY


def test_service_role_cannot_change_the_history(service: Service, company: Company, database_url: str) -> None:
    """The database refuses to change the history, define objects or assume the owner's role."""
    owner = urlsplit(database_url).username or ""
    before = fetch(database_url, "SELECT e::text FROM stored_events e ORDER BY notification_id")

    for statement in FORBIDDEN:
        service_connection = connect(service.settings.database_url or "")
        with closing(service_connection), pytest.raises(psycopg.errors.InsufficientPrivilege):
            service_connection.execute(statement.format(owner=owner).encode())

    assert before == fetch(database_url, "SELECT e::text FROM stored_events e ORDER BY notification_id")
    company.create_sub_user()


def test_service_role_owns_nothing(database_url: str) -> None:
    """An owner could grant itself any privilege."""
    role = service_role(database_url).name
    assert fetch(database_url, "SELECT FROM pg_class WHERE pg_get_userbyid(relowner) = %s", role) == []
    assert fetch(database_url, "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = %s", role) == [
        (False, False)
    ]


def test_migrating_resets_the_grants_of_the_service_role(settings: Settings, database_url: str) -> None:
    """Migrating grants access to new tables and revokes grants made by hand."""
    role = service_role(database_url).name
    fetch(database_url, "CREATE TABLE of_a_later_release (id bigserial)")
    fetch(database_url, f'GRANT UPDATE, TRUNCATE ON stored_events TO "{role}"')
    assert privileges_by_table(database_url)["of_a_later_release"] == set()

    maintenance.run_migrations(settings)

    assert privileges_by_table(database_url) == expected_privileges(database_url)
    fetch(settings.database_url or "", "INSERT INTO of_a_later_release DEFAULT VALUES")


def test_printed_role_script_grants_the_same_privileges(database_url: str) -> None:
    """An administrator can run the printed SQL instead of the migration."""
    role = service_role(database_url).name
    with connect(database_url) as connection:
        script = database_role.setup_script(connection, role)
        assert f'CREATE ROLE "{role}"' not in script, "the role exists already"
        assert 'CREATE ROLE "another" LOGIN;' in database_role.setup_script(connection, "another")
        connection.execute(f'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "{role}"'.encode())
        connection.execute(script.encode())

    assert privileges_by_table(database_url) == expected_privileges(database_url)


def test_role_that_may_not_be_created_is_reported(database_url: str) -> None:
    """The error names the role."""
    with (
        connect(service_role_url(database_url)) as connection,
        pytest.raises(RoleError, match=r'^the role "nobody_yet" of'),
    ):
        database_role.set_up_role(connection, ServiceRole("nobody_yet", "secret"))


def test_service_role_cannot_run_pending_migrations(database_url: str) -> None:
    """Without pending migrations, `migrate` succeeds; otherwise the error names the missing setting."""
    with connect(service_role_url(database_url)) as connection:
        assert migrate(connection) == []

        fetch(database_url, "DELETE FROM schema_migrations WHERE number > 8")
        with pytest.raises(MigrationError, match="SUBUSERS_ADMIN_DATABASE_URL"):
            migrate(connection)


def test_missing_service_role_is_created(database_url: str) -> None:
    """The role gets the password of its URL if the migrating role may create roles."""
    with unused_role_name(database_url) as name:
        with connect(as_administrator(database_url)) as connection:
            migrate(connection, ServiceRole(name, "a password of its own"))

        parts = urlsplit(database_url)
        netloc = f"{name}:a password of its own@{parts.netloc.rpartition('@')[2]}".replace(" ", "%20")
        assert fetch(parts._replace(netloc=netloc).geturl(), "SELECT count(*) FROM stored_events") == [(0,)]


def test_service_role_that_could_change_the_history_is_refused(database_url: str) -> None:
    """A member of the owning role can assume it, regardless of its own grants."""
    owner = urlsplit(database_url).username
    with unused_role_name(database_url) as name, connect(as_administrator(database_url)) as connection:
        connection.execute(f'CREATE ROLE "{name}" NOINHERIT IN ROLE "{owner}"'.encode())

        with pytest.raises(MigrationError, match="could alter the history"):
            migrate(connection, ServiceRole(name))


def as_administrator(url: str) -> str:
    """Return the URL with a user who may create roles: the administrator on the embedded server."""
    parts = urlsplit(url)
    user, _, rest = parts.netloc.partition(":")
    return parts._replace(netloc=f"{ADMINISTRATOR if user == ROLE else user}:{rest}").geturl()


@contextmanager
def unused_role_name(url: str) -> Iterator[str]:
    """Yield the name of a role that does not exist, and drop the role afterwards."""
    name = f"subusers_test_{uuid4().hex[:12]}"
    try:
        yield name
    finally:
        execute_all(as_administrator(url), f'DROP OWNED BY "{name}"', f'DROP ROLE "{name}"')


def execute_all(url: str, *statements: Any) -> None:
    for statement in statements:
        fetch(url, statement)


OBJECTS_TO_CREATE = [
    "AGGREGATE mine (int) (SFUNC = int4pl, STYPE = int)",
    "CAST (text AS int) WITH INOUT",
    "COLLATION mine (LOCALE = 'C')",
    "CONVERSION mine FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
    "DATABASE mine",
    "DOMAIN mine AS text",
    "EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION draw_positions()",
    "FOREIGN DATA WRAPPER mine",
    "FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "INDEX ON stored_events (topic)",
    "MATERIALIZED VIEW mine AS SELECT 1",
    "OPERATOR === (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)",
    "POLICY mine ON stored_events",
    "PROCEDURE mine() LANGUAGE sql AS 'SELECT 1'",
    "PUBLICATION mine",
    "ROLE mine",
    "RULE mine AS ON INSERT TO stored_events DO INSTEAD NOTHING",
    "SCHEMA mine",
    "SEQUENCE mine",
    "STATISTICS mine ON position, hash FROM merkle_leaves",
    "TABLE mine ()",
    "TABLE mine AS SELECT 1",
    "TABLESPACE mine LOCATION '/mine'",
    "TEXT SEARCH CONFIGURATION mine (COPY = simple)",
    "TRIGGER mine AFTER INSERT ON stored_events EXECUTE FUNCTION draw_positions()",
    "TYPE mine AS ENUM ('mine')",
    "VIEW mine AS SELECT 1",
    *(
        f"TEMPORARY {temporary}"
        for temporary in ("TABLE stored_events ()", "TABLE mine AS SELECT 1", "VIEW mine AS SELECT 1")
    ),
    "TEMPORARY SEQUENCE mine",
    "FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "TYPE pg_temp.mine AS ENUM ('mine')",
]
"""An executable CREATE command for each kind of object in PostgreSQL."""

CREATING_STATEMENTS = [
    *(f"CREATE {definition}" for definition in OBJECTS_TO_CREATE),
    "SELECT 1 INTO TEMPORARY mine",
]
LARGE_OBJECT_STATEMENTS = [
    "SELECT lo_creat(-1)",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'mine')",
    "SELECT lo_import('/etc/hostname')",
]

OWNED_OBJECTS = """
SELECT 'pg_largeobject' FROM pg_largeobject_metadata UNION ALL
SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user UNION ALL
SELECT proname FROM pg_proc WHERE pg_get_userbyid(proowner) = current_user UNION ALL
SELECT typname FROM pg_type WHERE pg_get_userbyid(typowner) = current_user
"""


def test_service_role_cannot_create_objects(database_url: str) -> None:
    """After a superuser has run the printed SQL, no object can be created, not even temporary or large ones."""
    role = service_role(database_url).name
    with connect(as_administrator(database_url)) as connection:
        connection.execute(database_role.setup_script(connection, role).encode())

    unexpected = []
    for statement in [*CREATING_STATEMENTS, *LARGE_OBJECT_STATEMENTS]:
        with closing(connect(service_role_url(database_url))) as service_connection:
            try:
                service_connection.execute(statement.encode())
            except psycopg.errors.InsufficientPrivilege:
                continue
            except psycopg.Error as error:
                unexpected.append(f"{statement}: {error}")
            else:
                unexpected.append(statement)
    assert unexpected == []
    assert fetch(service_role_url(database_url), OWNED_OBJECTS) == []


def test_database_owner_can_deny_all_but_large_objects(database_url: str) -> None:
    """Migrating does the same. Only a superuser can revoke the right to create large objects."""
    with connect(database_url) as connection:
        database_role.set_up_role(connection, service_role(database_url))

    for statement in CREATING_STATEMENTS:
        with closing(connect(service_role_url(database_url))) as service_connection, pytest.raises(psycopg.Error):
            service_connection.execute(statement.encode())


def test_search_path_of_connections_puts_temporary_tables_last(service: Service) -> None:
    """A temporary table must not shadow a table of the service."""
    url = service.settings.database_url or ""
    with ExitStack() as stack:
        other_connections = [
            closing(connections.connect(url, "test")),
            closing(connections.connect_to_follow(url)),
        ]
        for connection in map(stack.enter_context, [service.database.get_connection(), *other_connections]):
            (path,) = connection.cursor(row_factory=tuple_row).execute("SHOW search_path").fetchone() or ("",)
            assert path.replace(" ", "") == "public,pg_temp"
    with connections.connect(service.settings.owner_url, "test") as owner:
        owner.execute("CREATE TEMPORARY TABLE followers (mine int)")
        assert owner.execute("SELECT * FROM followers LIMIT 0").description[0].name == "name"  # type: ignore[index]
