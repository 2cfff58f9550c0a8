"""Projection rebuild: equal to the live view, concurrent with reads and writes, safe to interrupt."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from application.commands.activities import Activity
from application.errors import StoreUnavailable
from projections.audit_log.conditions import AuditFilter
from projections.runtime.rebuild import NotRebuildable, drop_abandoned, rebuild
from projections.sub_users.queries import SubUserFilter
from tests.builders import PORTAL, Company, catch_up
from tests.postgres import connect, fetch, terminate_connections
from tests.waiting import eventually, run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from projections.runtime.projection_follower import Projection

REBUILDABLE = ["sub-users", "audit-log"]


def view_of(service: Service, name: str) -> Projection:
    return next(view for view in service.workers.views if view.name == name)


def rebuild_view(
    service: Service, name: str, url: str, progress: Callable[[int, int], None] = lambda _, __: None
) -> int:
    with connect(url) as connection:
        return rebuild(view_of(service, name), connection, progress)


def contents(url: str, view: Projection) -> dict[str, list[Any]]:
    return {
        table: fetch(url, sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(table)).as_string())
        for table in view.tables
    }


def schema_of(url: str) -> list[Any]:
    """Return columns, defaults, constraints, options, privileges and indexes of the public schema."""
    return fetch(
        url,
        "SELECT 'column', table_name::text, column_name::text, data_type, is_nullable, coalesce(column_default, '') "
        "FROM information_schema.columns WHERE table_schema = 'public' "
        "UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public' "
        "UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '' "
        "FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 "
        "UNION ALL SELECT 'options', relname, coalesce(reloptions::text, ''), relkind::text, relacl::text, '' "
        "FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "UNION ALL SELECT 'schema', nspname, '', '', '', '' FROM pg_namespace WHERE nspname LIKE 'rebuild%' "
        "ORDER BY 1, 2, 3, 4",
    )


def record_typical_events(company: Company, number: int = 0) -> None:
    """Create, change, activate, log in and delete sub-users."""
    sub_user = company.create_sub_user(f"one-{number}@company.example", visible=number % 2 == 0)
    sub_user.change(name=f"Name {number}", active=True)
    sub_user.choose_password("a password of my own").log_in()
    activities = [Activity(sub_user.sub_user_id, "assistant.opened", f"Assistant {number % 2}")]
    company.service.commands.activities.record(company.account_id, activities, PORTAL)
    deleted = company.create_sub_user(f"gone-{number}@company.example")
    deleted.delete()


@pytest.mark.parametrize("name", REBUILDABLE)
def test_rebuilt_view_equals_the_live_one(service: Service, company: Company, database_url: str, name: str) -> None:
    """Compares rows, position, and the names, storage options and privileges of tables and indexes."""
    for n in range(3):
        record_typical_events(company, n)
    catch_up(service)
    view = view_of(service, name)
    for table in view.tables:
        fetch(database_url, f"GRANT SELECT, UPDATE ON {table} TO pg_monitor")
    before, schema = contents(database_url, view), schema_of(database_url)

    position = rebuild_view(service, name, database_url)

    assert contents(database_url, view) == before
    # audit_older is filled only with a retention period
    assert {table for table, rows in before.items() if not rows} <= {"audit_older"}
    assert schema_of(database_url) == schema
    assert fetch(database_url, "SELECT position FROM followers WHERE name = %s", name) == [(position,)]
    assert position == service.queries.progress.settled_position()


@pytest.mark.parametrize("name", REBUILDABLE)
def test_repeated_rebuilds_change_nothing(service: Service, company: Company, database_url: str, name: str) -> None:
    record_typical_events(company)
    catch_up(service)
    before, schema = contents(database_url, view_of(service, name)), schema_of(database_url)

    for _ in range(3):
        rebuild_view(service, name, database_url)

    assert contents(database_url, view_of(service, name)) == before
    assert schema_of(database_url) == schema


LOCK_WAIT_COUNT = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = %s)"
)


@pytest.mark.parametrize("name", REBUILDABLE)
def test_reader_that_locks_tables_in_another_order_does_not_deadlock(
    service: Service, company: Company, database_url: str, name: str
) -> None:
    """The rebuild gives up its locks, so that the reader finishes first."""
    record_typical_events(company)
    catch_up(service)
    first, *_, last = view_of(service, name).tables
    before = contents(database_url, view_of(service, name))
    with connect(database_url) as reader:
        parameters = [reader.info.dbname]

        def read() -> None:
            with reader.transaction():
                reader.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(last)))
                # the rebuild waits for this reader's lock
                eventually(lambda: fetch(database_url, LOCK_WAIT_COUNT, *parameters) == [(1,)])
                reader.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(first)))

        results = run_concurrently([read, lambda: rebuild_view(service, name, database_url)])

    assert results == [None, service.queries.progress.settled_position()]
    assert contents(database_url, view_of(service, name)) == before


def test_rebuild_applies_new_events_while_it_waits_for_a_reader(
    service: Service, company: Company, database_url: str
) -> None:
    """The final swap then locks the live view only briefly."""
    sub_user = company.create_sub_user()
    catch_up(service)
    before, reported = service.queries.progress.settled_position(), list[int]()
    activities = [Activity(sub_user.sub_user_id, "assistant.opened")] * 1000

    def keep_reading() -> None:
        with connect(database_url) as reader, reader.transaction():
            reader.execute("SELECT FROM audit_view LIMIT 1")
            # the rebuild waits for this reader
            eventually(lambda: fetch(database_url, LOCK_WAIT_COUNT, reader.info.dbname) == [(1,)])
            service.commands.activities.record(company.account_id, activities, PORTAL)
            eventually(lambda: reported and reported[-1] > before)

    position = before + len(activities)
    results = run_concurrently(
        [keep_reading, lambda: rebuild_view(service, "audit-log", database_url, lambda done, _: reported.append(done))]
    )

    assert results == [None, position]


@pytest.mark.parametrize("name", REBUILDABLE)
def test_rebuild_repairs_a_damaged_view(service: Service, company: Company, database_url: str, name: str) -> None:
    """Missing rows are restored, and the follower's failure is cleared."""
    record_typical_events(company)
    catch_up(service)
    view = view_of(service, name)
    before = contents(database_url, view)
    for table in view.tables:
        fetch(database_url, sql.SQL("DELETE FROM {}").format(sql.Identifier(table)).as_string())
    fetch(
        database_url, "UPDATE followers SET failed_position = 7, failure = 'x', failed_at = now() WHERE name = %s", name
    )

    rebuild_view(service, name, database_url)

    assert contents(database_url, view) == before
    assert fetch(database_url, "SELECT failure FROM followers WHERE name = %s", name) == [(None,)]


def test_reads_stay_current_during_rebuilds(
    service: Service, company: Company, database_url: str, followers: None
) -> None:
    """Every read includes the preceding write while both views are rebuilt repeatedly."""
    stop = threading.Event()
    rounds = 0

    def keep_rebuilding() -> int:
        times = 0
        while not stop.is_set():
            for name in REBUILDABLE:
                rebuild_view(service, name, database_url)
                times += 1
        return times

    def write_and_read() -> int:
        nonlocal rounds
        sub_user = company.create_sub_user(password="one phrase for all")
        try:
            for rounds in range(60):
                sub_user.change(name=f"Name {rounds}")
                details = service.queries.sub_users.sub_user(company.account_id, sub_user.sub_user_id)
                assert details.name == f"Name {rounds}"
                (newest,), _ = service.queries.audit_log.page(company.account_id, AuditFilter(), 1, None)
                assert newest.details["name"] == f"Name {rounds}"
        finally:
            stop.set()
        return rounds

    rebuilds, last = run_concurrently([keep_rebuilding, write_and_read])

    assert last == 59, last
    assert isinstance(rebuilds, int), rebuilds
    assert rebuilds >= 4
    before = [contents(database_url, view_of(service, name)) for name in REBUILDABLE]
    for name in REBUILDABLE:
        rebuild_view(service, name, database_url)
    assert [contents(database_url, view_of(service, name)) for name in REBUILDABLE] == before


@pytest.mark.parametrize("name", REBUILDABLE)
def test_concurrent_rebuilds_of_a_view_are_serialized(
    service: Service, company: Company, database_url: str, name: str
) -> None:
    record_typical_events(company)
    catch_up(service)
    before, schema = contents(database_url, view_of(service, name)), schema_of(database_url)

    results = run_concurrently([lambda: rebuild_view(service, name, database_url)] * 4)

    assert results == [service.queries.progress.settled_position()] * 4
    assert contents(database_url, view_of(service, name)) == before
    assert schema_of(database_url) == schema


@pytest.mark.parametrize("name", REBUILDABLE)
def test_interrupted_rebuild_leaves_the_live_view_unchanged(
    service: Service, company: Company, database_url: str, name: str
) -> None:
    """The next rebuild removes the leftover tables."""
    record_typical_events(company)
    catch_up(service)
    view = view_of(service, name)
    before, schema = contents(database_url, view), schema_of(database_url)
    with connect(database_url) as connection:
        apply, interrupted = view.apply, threading.Event()

        class InterruptedProjection:
            name, tables = view.name, view.tables

            def apply(self, connection: psycopg.Connection[Any], batch: Any) -> None:
                apply(connection, batch)
                terminate_connections(database_url)
                interrupted.set()
                connection.execute("SELECT 1")

        with pytest.raises(psycopg.OperationalError):
            rebuild(InterruptedProjection(), connection, lambda _, __: None)
    assert interrupted.is_set()
    assert contents(database_url, view) == before

    eventually(lambda: rebuild_with_live_connection(service, name, database_url))

    assert contents(database_url, view) == before
    assert schema_of(database_url) == schema


def test_tables_of_a_killed_rebuild_are_dropped(service: Service, company: Company, database_url: str) -> None:
    """They hold personal data that would survive an erasure. A rebuild in progress keeps its tables."""
    record_typical_events(company)
    catch_up(service)
    fetch(database_url, "CREATE SCHEMA rebuild_audit_log")
    fetch(database_url, "CREATE TABLE rebuild_audit_log.audit_view ()")
    fetch(database_url, "CREATE SCHEMA rebuild_sub_users")
    schemas_query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%' ORDER BY 1"
    with connect(database_url) as rebuilder, connect(service.settings.database_url or "") as connection:
        rebuilder.execute("SELECT pg_advisory_lock(723982, hashtext('sub-users'))")
        drop_abandoned(service.workers.views, connection)
        assert fetch(database_url, schemas_query) == [("rebuild_sub_users",)]

        rebuilder.execute("SELECT pg_advisory_unlock_all()")
        drop_abandoned(service.workers.views, connection)
        assert fetch(database_url, schemas_query) == []
        rebuild_view(service, "sub-users", database_url)


def test_locked_leftovers_do_not_prevent_a_rebuild(service: Service, database_url: str) -> None:
    """The lock of the failed attempt is released although its connection stays open."""
    fetch(database_url, "CREATE SCHEMA rebuild_audit_log")
    fetch(database_url, "CREATE TABLE rebuild_audit_log.audit_view ()")
    with connect(database_url) as rebuilder, connect(service.settings.database_url or "") as connection:
        connection.execute("SET lock_timeout = '10ms'")
        with rebuilder.transaction():
            rebuilder.execute("LOCK TABLE rebuild_audit_log.audit_view")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                drop_abandoned(service.workers.views, connection)
        rebuilder.execute("SET lock_timeout = '1s'")
        rebuild(view_of(service, "audit-log"), rebuilder, lambda _, __: None)


def rebuild_with_live_connection(service: Service, name: str, url: str) -> bool:
    """Rebuild, and return whether the connections were alive."""
    try:
        rebuild_view(service, name, url)
    except StoreUnavailable:
        return False
    return True


def test_rebuild_reports_progress(service: Service, company: Company, database_url: str) -> None:
    """It reports the position reached and the last position, up to the end."""
    sub_user = company.create_sub_user()
    activities = [Activity(sub_user.sub_user_id, "assistant.opened")] * 1000
    for _ in range(5):
        service.commands.activities.record(company.account_id, activities, PORTAL)
    catch_up(service)
    reported: list[tuple[int, int]] = []

    position = rebuild_view(service, "audit-log", database_url, lambda done, total: reported.append((done, total)))

    assert reported[-1] == (position, position)
    assert [done for done, _ in reported] == sorted(done for done, _ in reported)


def test_mail_queue_cannot_be_rebuilt(service: Service, database_url: str) -> None:
    """A rebuild would lose which mails were sent."""
    with pytest.raises(NotRebuildable):
        rebuild_view(service, "mail-queue", database_url)


def test_rebuild_does_not_restore_erased_data(
    service: Service, company: Company, database_url: str, followers: None
) -> None:
    company.create_sub_user("canary@company.example", name="Canary").delete()
    remaining = company.create_sub_user()

    for name in REBUILDABLE:
        rebuild_view(service, name, database_url)

    (listed,) = service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None).items
    assert listed.sub_user_id == remaining.sub_user_id
    assert "anary" not in str([contents(database_url, view_of(service, name)) for name in REBUILDABLE])
