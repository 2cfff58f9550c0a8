"""A view can be made anew from the history while it is being read and written to, and nobody notices."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from application.activities import Activity
from application.errors import StoreUnavailable
from projections.audit_queries import AuditFilter
from projections.rebuild import NotRebuildable, drop_abandoned, rebuild
from projections.sub_user_queries import SubUserFilter
from tests.people import PORTAL, Company, catch_up
from tests.postgres import ask, connect, cut_off
from tests.waiting import at_once, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from projections.follower import View

REBUILDABLE = ["sub-users", "audit-log"]


def view_of(service: Service, name: str) -> View:
    return next(view for view in service.views if view.name == name)


def rebuilt(service: Service, name: str, url: str, progress: Callable[[int, int], None] = lambda _, __: None) -> int:
    with connect(url) as connection:
        return rebuild(view_of(service, name), connection, progress)


def contents(url: str, view: View) -> dict[str, list[Any]]:
    return {
        table: ask(url, sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(table)).as_string())
        for table in view.tables
    }


def shape(url: str) -> list[Any]:
    """Return what tables, columns, defaults, constraints, options and indexes there are."""
    return ask(
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


def live_a_little(company: Company, round_: int = 0) -> None:
    """Do a bit of everything."""
    one = company.let_in(f"one-{round_}@company.example", visible=round_ % 2 == 0)
    one.change(name=f"Name {round_}", active=True)
    one.choose_password("a password of my own").log_in()
    gone = company.let_in(f"gone-{round_}@company.example")
    gone.delete()


@pytest.mark.parametrize("name", REBUILDABLE)
def test_the_rebuilt_view_equals_the_live_one(service: Service, company: Company, database_url: str, name: str) -> None:
    """In its rows, its position, and down to names, storage options and privileges of tables and indexes."""
    for n in range(3):
        live_a_little(company, n)
    catch_up(service)
    view = view_of(service, name)
    for table in view.tables:
        ask(database_url, f"GRANT SELECT, UPDATE ON {table} TO pg_monitor")
    before, shaped = contents(database_url, view), shape(database_url)

    position = rebuilt(service, name, database_url)

    assert contents(database_url, view) == before
    assert {table for table, rows in before.items() if not rows} <= {"audit_older"}  # that takes a retention
    assert shape(database_url) == shaped
    assert ask(database_url, "SELECT position FROM followers WHERE name = %s", name) == [(position,)]
    assert position == service.progress.settled_position()


@pytest.mark.parametrize("name", REBUILDABLE)
def test_a_view_can_be_rebuilt_again_and_again(
    service: Service, company: Company, database_url: str, name: str
) -> None:
    """The second time is like the first."""
    live_a_little(company)
    catch_up(service)
    before, shaped = contents(database_url, view_of(service, name)), shape(database_url)

    for _ in range(3):
        rebuilt(service, name, database_url)

    assert contents(database_url, view_of(service, name)) == before
    assert shape(database_url) == shaped


WAITING = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = %s)"
)


@pytest.mark.parametrize("name", REBUILDABLE)
def test_who_reads_in_another_order_is_let_by(service: Service, company: Company, database_url: str, name: str) -> None:
    """Neither the reader, who would wait for the new view for ever, nor the rebuild comes to harm."""
    live_a_little(company)
    catch_up(service)
    first, *_, last = view_of(service, name).tables
    before = contents(database_url, view_of(service, name))
    with connect(database_url) as reader:
        waiting = [reader.info.dbname]

        def read() -> None:
            with reader.transaction():
                reader.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(last)))
                eventually(lambda: ask(database_url, WAITING, *waiting) == [(1,)])  # for the table that is read here
                reader.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(first)))

        came_to = at_once([read, lambda: rebuilt(service, name, database_url)])

    assert came_to == [None, service.progress.settled_position()]
    assert contents(database_url, view_of(service, name)) == before


def test_what_comes_while_a_reader_stays_is_caught_up_with(
    service: Service, company: Company, database_url: str
) -> None:
    """Before the next attempt to swap: the live view is not to stand still for all of it."""
    one = company.let_in()
    catch_up(service)
    before, told = service.progress.settled_position(), list[int]()
    activities = [Activity(one.sub_user_id, "assistant.opened")] * 1000

    def stay() -> None:
        with connect(database_url) as reader, reader.transaction():
            reader.execute("SELECT FROM audit_view LIMIT 1")
            eventually(lambda: ask(database_url, WAITING, reader.info.dbname) == [(1,)])  # for the reader to go
            service.activities.record(company.account_id, activities, PORTAL)
            eventually(lambda: told and told[-1] > before)

    position = before + len(activities)
    came_to = at_once([stay, lambda: rebuilt(service, "audit-log", database_url, lambda done, _: told.append(done))])

    assert came_to == [None, position]


@pytest.mark.parametrize("name", REBUILDABLE)
def test_a_damaged_view_is_mended(service: Service, company: Company, database_url: str, name: str) -> None:
    """That is what it is for: whatever became of the rows, and of the follower."""
    live_a_little(company)
    catch_up(service)
    view = view_of(service, name)
    before = contents(database_url, view)
    for table in view.tables:
        ask(database_url, sql.SQL("DELETE FROM {}").format(sql.Identifier(table)).as_string())
    ask(
        database_url, "UPDATE followers SET failed_position = 7, failure = 'x', failed_at = now() WHERE name = %s", name
    )

    rebuilt(service, name, database_url)

    assert contents(database_url, view) == before
    assert ask(database_url, "SELECT failure FROM followers WHERE name = %s", name) == [(None,)]


def test_nobody_notices_a_rebuild(service: Service, company: Company, database_url: str, followers: None) -> None:
    """While both views are rebuilt over and over, every read finds what was written just before it."""
    stop = threading.Event()
    rounds = 0

    def keep_rebuilding() -> int:
        times = 0
        while not stop.is_set():
            for name in REBUILDABLE:
                rebuilt(service, name, database_url)
                times += 1
        return times

    def write_and_read() -> int:
        nonlocal rounds
        one = company.let_in(password="one phrase for all")
        try:
            for rounds in range(60):
                one.change(name=f"Name {rounds}")
                found = service.sub_user_queries.sub_user(company.account_id, one.sub_user_id)
                assert found.name == f"Name {rounds}"
                (newest,), _ = service.audit_queries.page(company.account_id, AuditFilter(), 1, None)
                assert newest.details["name"] == f"Name {rounds}"
        finally:
            stop.set()
        return rounds

    rebuilds, last = at_once([keep_rebuilding, write_and_read])

    assert last == 59, last
    assert isinstance(rebuilds, int), rebuilds
    assert rebuilds >= 4
    before = [contents(database_url, view_of(service, name)) for name in REBUILDABLE]
    for name in REBUILDABLE:
        rebuilt(service, name, database_url)
    assert [contents(database_url, view_of(service, name)) for name in REBUILDABLE] == before


@pytest.mark.parametrize("name", REBUILDABLE)
def test_two_rebuilds_of_one_view_take_turns(service: Service, company: Company, database_url: str, name: str) -> None:
    """Neither works on the other's tables."""
    live_a_little(company)
    catch_up(service)
    before, shaped = contents(database_url, view_of(service, name)), shape(database_url)

    came_to = at_once([lambda: rebuilt(service, name, database_url)] * 4)

    assert came_to == [service.progress.settled_position()] * 4
    assert contents(database_url, view_of(service, name)) == before
    assert shape(database_url) == shaped


@pytest.mark.parametrize("name", REBUILDABLE)
def test_an_interrupted_rebuild_changes_nothing(
    service: Service, company: Company, database_url: str, name: str
) -> None:
    """The live view is as it was, and the next rebuild clears away what was left."""
    live_a_little(company)
    catch_up(service)
    view = view_of(service, name)
    before, shaped = contents(database_url, view), shape(database_url)
    with connect(database_url) as connection:
        apply, done = view.apply, threading.Event()

        class Interrupted:
            name, tables = view.name, view.tables

            def apply(self, connection: psycopg.Connection[Any], batch: Any) -> None:
                apply(connection, batch)
                cut_off(database_url)
                done.set()
                connection.execute("SELECT 1")

        with pytest.raises(psycopg.OperationalError):
            rebuild(Interrupted(), connection, lambda _, __: None)
    assert done.is_set()
    assert contents(database_url, view) == before

    eventually(lambda: recovered(service, name, database_url))

    assert contents(database_url, view) == before
    assert shape(database_url) == shaped


def test_what_a_killed_rebuild_left_is_dropped(service: Service, company: Company, database_url: str) -> None:
    """By the service, which may drop nothing else: it holds names that would outlive whom they belong to.

    What somebody is at is left alone.
    """
    live_a_little(company)
    catch_up(service)
    ask(database_url, "CREATE SCHEMA rebuild_audit_log")
    ask(database_url, "CREATE TABLE rebuild_audit_log.audit_view ()")
    ask(database_url, "CREATE SCHEMA rebuild_sub_users")
    left = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%' ORDER BY 1"
    with connect(database_url) as at_it, connect(service.settings.database_url or "") as connection:
        at_it.execute("SELECT pg_advisory_lock(723982, hashtext('sub-users'))")
        drop_abandoned(service.views, connection)
        assert ask(database_url, left) == [("rebuild_sub_users",)]

        at_it.execute("SELECT pg_advisory_unlock_all()")
        drop_abandoned(service.views, connection)
        assert ask(database_url, left) == []
        rebuilt(service, "sub-users", database_url)


def test_what_cannot_be_dropped_is_left_for_another_time(service: Service, database_url: str) -> None:
    """And keeps nobody from rebuilding: the connection lives on in its pool."""
    ask(database_url, "CREATE SCHEMA rebuild_audit_log")
    ask(database_url, "CREATE TABLE rebuild_audit_log.audit_view ()")
    with connect(database_url) as at_it, connect(service.settings.database_url or "") as connection:
        connection.execute("SET lock_timeout = '10ms'")
        with at_it.transaction():
            at_it.execute("LOCK TABLE rebuild_audit_log.audit_view")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                drop_abandoned(service.views, connection)
        at_it.execute("SET lock_timeout = '1s'")
        rebuild(view_of(service, "audit-log"), at_it, lambda _, __: None)


def recovered(service: Service, name: str, url: str) -> bool:
    """Rebuild with the first connection that was not cut off."""
    try:
        rebuilt(service, name, url)
    except StoreUnavailable:
        return False
    return True


def test_progress_is_told(service: Service, company: Company, database_url: str) -> None:
    """How many positions of how many are done, up to the end."""
    one = company.let_in()
    activities = [Activity(one.sub_user_id, "assistant.opened")] * 1000
    for _ in range(5):
        service.activities.record(company.account_id, activities, PORTAL)
    catch_up(service)
    told: list[tuple[int, int]] = []

    position = rebuilt(service, "audit-log", database_url, lambda done, of: told.append((done, of)))

    assert told[-1] == (position, position)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_the_mail_queue_is_not_rebuilt(service: Service, database_url: str) -> None:
    """What remembers which mails went out must not be forgotten."""
    with pytest.raises(NotRebuildable):
        rebuilt(service, "mail-queue", database_url)


def test_somebody_erased_stays_erased(service: Service, company: Company, database_url: str, followers: None) -> None:
    """A view made anew has nothing that could not be read any more."""
    company.let_in("canary@company.example", name="Canary").delete()
    rest = company.let_in()

    for name in REBUILDABLE:
        rebuilt(service, name, database_url)

    (listed,) = service.sub_user_queries.list(company.account_id, SubUserFilter(), 10, None).items
    assert listed.sub_user_id == rest.sub_user_id
    assert "anary" not in str([contents(database_url, view_of(service, name)) for name in REBUILDABLE])
