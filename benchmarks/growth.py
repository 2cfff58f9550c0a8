"""Reads cost the same, however much there is: lists and last pages of audit logs, on much data and on a hundredth.

Both databases run at once, and are asked in turn. Half of the history is spread evenly over all accounts, the other
half is one account's: the last page of its log is as far from the first as it can be.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import psycopg
from psycopg import ClientCursor

from api import bootstrap
from application.api_keys import Scope
from benchmarks import servers
from benchmarks.lines import Line, median_of
from benchmarks.load import Target, written
from benchmarks.long_history import ready_settings
from benchmarks.people import accounts_of, caught_up
from projections.audit_queries import AuditFilter
from projections.cursors import Cursors
from projections.statements import NAMED

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap import Service
    from benchmarks.lines import Scale

REAL = 50
"""Accounts made through the application: they are what is asked about, as their keys open what is there."""

SUB_USERS = 10
PAGE = 20
CONNECTIONS = 1
"""Of two, both are one server process's as often as not, and each waits for the other then."""

SHARE = 100

LIST, LAST_PAGE = "list of sub-users", "last page of the audit log"

Kinds = dict[str, Target]


def measure(scale: Scale) -> list[Line]:
    """Fill two databases, and ask them in turn."""
    with ExitStack() as stack:
        small = _asked_of(stack, scale.audit_rows // SHARE, scale.accounts // SHARE)
        large = _asked_of(stack, scale.audit_rows, scale.accounts)
        return [_line(kind, large[kind], small[kind], scale) for kind in (LIST, LAST_PAGE)]


def _line(kind: str, large: Target, small: Target, scale: Scale) -> Line:
    runs = []
    for target in (large, small) * 2:
        target.under(CONNECTIONS, 1)
    for run in range(scale.runs):
        turns = (large, small) if run % 2 == 0 else (small, large)
        took = {target: 1000 * target.under(CONNECTIONS, scale.seconds / 2).median for target in turns}
        what = f"{kind}, {scale.audit_rows:,} audit rows, {scale.accounts:,} accounts"
        runs.append(Line(what, took[large], "ms", "a hundredth of that", took[small], 1.25, at_least=False))
    return median_of(runs)


def _asked_of(stack: ExitStack, rows: int, accounts: int) -> Kinds:
    """Run the service on a database with so much in it, and return what it is asked."""
    settings = stack.enter_context(ready_settings())
    service = bootstrap.build(settings)
    accounts_of(service, REAL, SUB_USERS)
    caught_up(service)
    real, befores = _filled(settings.owner_url, rows, max(0, accounts - REAL))
    api_key = service.api_keys.create(Scope.PORTAL, "benchmark", service.clock())
    pages = [_page(service, account_id, before) for account_id, before in zip(real, befores, strict=True)]
    lists = [f"/v1/accounts/{account_id}/sub-users" for account_id in real]
    service.close()
    url = stack.enter_context(servers.doors(settings)).url
    headers = (f"Authorization: Bearer {api_key}",)
    return {
        kind: Target(url, stack.enter_context(written(("GET", path, None) for path in paths)), headers)
        for kind, paths in ((LIST, lists), (LAST_PAGE, pages))
    }


def _page(service: Service, account_id: UUID, before: int) -> str:
    cursor = Cursors(service.fingerprints).write(AuditFilter().scope(account_id), [before])
    return f"/v1/accounts/{account_id}/audit-log?{urlencode({'limit': PAGE, 'cursor': cursor})}"


def _filled(url: str, rows: int, accounts: int) -> tuple[list[UUID], list[int]]:
    """Write history straight into tables; return the real accounts, and after what position each one's last page is."""
    statements = dict(zip(*[iter(NAMED.split(Path(__file__).with_suffix(".sql").read_text())[1:])] * 2, strict=True))
    with psycopg.connect(url, autocommit=True, cursor_factory=ClientCursor) as connection:

        def run(name: str, **parameters: Any) -> list[Any]:
            cursor = connection.execute(statements[name].encode(), parameters)
            return cursor.fetchall() if cursor.description else []

        connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes "
            "WHERE tablename = 'audit_view' AND indexname <> 'audit_view_pkey'"
        ).fetchall()
        run("people", accounts=accounts, sub_users=SUB_USERS)
        run("views")
        for name, _ in indexes:  # made again once the rows are there, which is quicker
            connection.execute(f"DROP INDEX {name}".encode())
        ((after,),) = connection.execute("SELECT max(notification_id) FROM stored_events").fetchall()
        run("happened", after=after, rows=rows)
        for _, definition in indexes:
            connection.execute(definition.encode())
        connection.execute("VACUUM ANALYZE")
        real = [account_id for (account_id,) in run("real_accounts")]
        return real, [run("last_page", account_id=account_id, page=PAGE)[0][0] for account_id in real]
