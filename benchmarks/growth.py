"""Reads cost the same on any amount of data: lists and last pages of audit logs, compared with a hundredth of the data.

Both databases run at once and are queried in turn. Half of the history is spread evenly over all accounts, the other
half belongs to one account, so that the last page of its log is as far from the first as possible.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import psycopg
from psycopg import ClientCursor

from adapters.cursor_cipher import AesCursorCipher
from adapters.postgres.sql_files import statements
from api.bootstrap import composition_root
from application.command_context import CommandContext
from application.commands.api_keys import Scope
from application.pagination_cursors import Cursors
from benchmarks import servers
from benchmarks.lines import Line, median_of
from benchmarks.load import Target, request_file
from benchmarks.sample_accounts import catch_up_views, create_accounts
from domain.event_metadata import ActorType
from projections.audit_log.conditions import AuditFilter

if TYPE_CHECKING:
    from uuid import UUID

    from benchmarks.lines import Scale

REAL_ACCOUNTS = 50
"""Accounts created through the application. Only they are queried, because their data can be decrypted."""

SUB_USERS = 10
PAGE_SIZE = 20
CONNECTIONS = 1
"""With two connections, both often reach the same server process and wait for each other."""

SMALLER_BY = 100
"""How many times less data the small database has."""

LIST, LAST_PAGE = "list of sub-users", "last page of the audit log"

SQL = statements("benchmarks", "growth")

TargetByKind = dict[str, Target]


def measure(scale: Scale) -> list[Line]:
    """Fill two databases, and query them in turn."""
    with ExitStack() as stack:
        small = _run_service(stack, scale.audit_rows // SMALLER_BY, scale.accounts // SMALLER_BY)
        large = _run_service(stack, scale.audit_rows, scale.accounts)
        return [_line(kind, large[kind], small[kind], scale) for kind in (LIST, LAST_PAGE)]


def _line(kind: str, large: Target, small: Target, scale: Scale) -> Line:
    runs = []
    for target in (large, small) * 2:
        target.run_load(CONNECTIONS, 1)
    for run in range(scale.runs):
        targets = (large, small) if run % 2 == 0 else (small, large)
        milliseconds = {target: 1000 * target.run_load(CONNECTIONS, scale.seconds / 2).median for target in targets}
        label = f"{kind}, {scale.audit_rows:,} audit rows, {scale.accounts:,} accounts"
        runs.append(
            Line(label, milliseconds[large], "ms", "a hundredth of that", milliseconds[small], 1.25, is_minimum=False)
        )
    return median_of(runs)


def _run_service(stack: ExitStack, rows: int, accounts: int) -> TargetByKind:
    """Run the service on a database with this much data, and return the load targets by kind of request."""
    settings = stack.enter_context(servers.temporary_database())
    service = composition_root.build(settings)
    create_accounts(service, REAL_ACCOUNTS, SUB_USERS)
    api_key = service.commands.api_keys.create(Scope.PORTAL, "benchmark", CommandContext(ActorType.SYSTEM))
    (key,) = service.commands.api_keys.list()
    # The first use of a key records an event, which no follower would apply later.
    service.commands.api_keys.record_use(key, service.clock())
    catch_up_views(service)
    account_ids, last_page_positions = _fill(settings.owner_url, rows, max(0, accounts - REAL_ACCOUNTS))
    reader = f"API key {key.api_key_id}"  # as api/bootstrap/current_reader.py names it
    cursors = Cursors(AesCursorCipher(service.keyed_hasher), service.clock, lambda: reader)
    pages = [
        _last_page_path(cursors, account_id, before)
        for account_id, before in zip(account_ids, last_page_positions, strict=True)
    ]
    lists = [f"/v1/accounts/{account_id}/sub-users" for account_id in account_ids]
    service.close()
    url = stack.enter_context(servers.run_api(settings)).url
    headers = (f"Authorization: Bearer {api_key}",)
    return {
        kind: Target(url, stack.enter_context(request_file(("GET", path, None) for path in paths)), headers)
        for kind, paths in ((LIST, lists), (LAST_PAGE, pages))
    }


def _last_page_path(cursors: Cursors, account_id: UUID, before: int) -> str:
    cursor = cursors.write(AuditFilter().cursor_scope(account_id), [before])
    return f"/v1/accounts/{account_id}/audit-log?{urlencode({'limit': PAGE_SIZE, 'cursor': cursor})}"


def _fill(url: str, rows: int, accounts: int) -> tuple[list[UUID], list[int]]:
    """Write history straight into the tables; return the real accounts, and for each the cursor of its last page."""
    with psycopg.connect(url, autocommit=True, cursor_factory=ClientCursor) as connection:

        def run(name: str, **parameters: Any) -> list[Any]:
            cursor = connection.execute(SQL[name], parameters)
            return cursor.fetchall() if cursor.description else []

        connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes "
            "WHERE tablename = 'audit_view' AND indexname <> 'audit_view_pkey'"
        ).fetchall()
        run("sub_users", accounts=accounts, sub_users=SUB_USERS)
        run("views")
        for name, _ in indexes:  # recreated afterwards, which is faster than maintaining them
            connection.execute(f"DROP INDEX {name}".encode())
        ((after,),) = connection.execute("SELECT max(notification_id) FROM stored_events").fetchall()
        run("activities", after=after, rows=rows)
        for _, definition in indexes:
            connection.execute(definition.encode())
        connection.execute("VACUUM ANALYZE")
        account_ids = [account_id for (account_id,) in run("real_accounts")]
        return account_ids, [
            run("last_page", account_id=account_id, page=PAGE_SIZE)[0][0] for account_id in account_ids
        ]
