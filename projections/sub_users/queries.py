"""Queries of accounts and sub-users."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg import sql

from adapters.postgres.prepared_statements import dataclass_factory, fetch_all
from adapters.postgres.sql_files import statements
from application.commands.resources import AccountDetails, SubUserDetails
from application.errors import InvalidValue
from domain.refusals import AccountNotFound, SubUserNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from application.pagination_cursors import Cursors
    from projections.runtime.freshness import Database, Freshness

SQL = statements("projections.sub_users", "queries")
to_details = dataclass_factory(SubUserDetails)
COMPUTED_FIELDS = frozenset({"status", "temporary_password_expires_at"})
"""Fields of a sub-user's details that the statements compute from other columns."""

COLUMNS = sql.SQL(", ").join(
    sql.Identifier(field.name) for field in fields(SubUserDetails) if field.name not in COMPUTED_FIELDS
)
FIND_SUB_USER = sql.SQL(SQL["find_sub_user"]).format(columns=COLUMNS).as_string()


class Sort(StrEnum):
    """Sort orders of the list of sub-users. A leading minus reverses the order."""

    CREATED_AT = "created_at"
    NAME = "name"
    SURNAME = "surname"
    EMAIL = "email"
    STATUS = "status"
    LAST_LOGIN_AT = "last_login_at"


SORT_KEYS = {
    Sort.CREATED_AT: sql.SQL("created_at"),
    Sort.NAME: sql.SQL("lower(name)"),
    Sort.SURNAME: sql.SQL("lower(surname)"),
    Sort.EMAIL: sql.SQL("lower(email)"),
    Sort.STATUS: sql.SQL("(NOT active)"),
    Sort.LAST_LOGIN_AT: sql.SQL("coalesce(last_login_at, '-infinity')"),
}
SORT_KEY_TYPES = {
    Sort.STATUS: sql.SQL("boolean"),
    Sort.CREATED_AT: sql.SQL("timestamptz"),
    Sort.LAST_LOGIN_AT: sql.SQL("timestamptz"),
}


@dataclass(frozen=True)
class SubUserFilter:
    """Which sub-users to list, and in which order. None and "" exclude no sub-user."""

    status: str | None = None
    visibility: str = "all"
    q: str = ""
    sort: Sort = Sort.CREATED_AT
    descending: bool = False

    def cursor_scope(self, account_id: UUID) -> list[str]:
        """Return the values that a cursor of this list is bound to."""
        return [str(account_id), self.status or "", self.visibility, self.q, self.sort, str(self.descending)]


@dataclass(frozen=True)
class AccountFilter:
    """Which accounts to list. None excludes no account."""

    email: str | None = None
    external_id: str | None = None

    @property
    def cursor_scope(self) -> list[str]:
        """The values that a cursor of this list is bound to."""
        return ["accounts", self.email or "", self.external_id or ""]


@dataclass(frozen=True)
class AccountPage:
    """Some accounts, and the cursor of the next page, if any."""

    items: list[AccountDetails]
    next_cursor: str | None


@dataclass(frozen=True)
class Page:
    """Some sub-users, and the cursor of the next page, if any."""

    items: list[SubUserDetails]
    next_cursor: str | None


class SubUserQueries:
    """Reads accounts and sub-users, once the view contains every event recorded before the request."""

    def __init__(self, database: Database, freshness: Freshness, cursors: Cursors) -> None:
        self._database = database
        self._freshness = freshness
        self._cursors = cursors

    def account(self, account_id: UUID, min_position: int | None = None) -> AccountDetails:
        """Return an account. Raises `AccountNotFound`."""
        self._freshness.wait_for_account(account_id, min_position)
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["find_account"], {"account_id": account_id}, prepare=True).fetchone()
        if row is None:
            raise AccountNotFound
        return AccountDetails(**row)

    def accounts(
        self, account_filter: AccountFilter, limit: int, cursor: str | None, min_position: int | None = None
    ) -> AccountPage:
        """Return a page of accounts, oldest first, closed ones included.

        Raises `InvalidValue` for a cursor of another list.
        """
        scope = account_filter.cursor_scope
        created_after, id_after = self._cursors.read(scope, cursor) if cursor else (None, None)
        self._freshness.wait_for_view("sub-users")
        if min_position is not None:
            self._freshness.wait_for_view("sub-users", min_position)
        parameters = {**vars(account_filter), "created_after": created_after, "id_after": id_after, "limit": limit + 1}
        with self._database.get_connection() as connection:
            # Not prepared: with and without a filter need different plans.
            rows = connection.execute(SQL["list_accounts"], parameters, prepare=False).fetchall()
        items = [AccountDetails(**row) for row in rows[:limit]]
        if len(rows) <= limit:
            return AccountPage(items, None)
        last = items[-1]
        return AccountPage(items, self._cursors.write(scope, [last.created_at.isoformat(), str(last.account_id)]))

    def sub_user(self, account_id: UUID, sub_user_id: UUID, min_position: int | None = None) -> SubUserDetails:
        """Return a sub-user. Raises `AccountNotFound`, `SubUserNotFound`."""
        self._freshness.wait_for_account(account_id, min_position)
        key = {"account_id": account_id, "sub_user_id": sub_user_id}
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, FIND_SUB_USER, key)
        if not rows:
            raise SubUserNotFound
        return to_details(rows[0])

    def list(
        self,
        account_id: UUID,
        sub_user_filter: SubUserFilter,
        limit: int,
        cursor: str | None,
        min_position: int | None = None,
    ) -> Page:
        """Return a page of sub-users. Raises `AccountNotFound`, and `InvalidValue` for a cursor of another list."""
        last_values = self._cursors.read(sub_user_filter.cursor_scope(account_id), cursor) if cursor else None
        stream_version, view_version, items = self._select(account_id, sub_user_filter, limit + 1, last_values)
        if stream_version is None or view_version is None or view_version < stream_version or min_position is not None:
            self._freshness.wait_for_account(account_id, min_position)
            _, _, items = self._select(account_id, sub_user_filter, limit + 1, last_values)
        next_cursor = None
        if len(items) > limit:
            last_item, sort_key = items[limit - 1]
            next_cursor = self._cursors.write(
                sub_user_filter.cursor_scope(account_id), [sort_key, str(last_item.sub_user_id)]
            )
        return Page([details for details, _ in items[:limit]], next_cursor)

    def _select(
        self, account_id: UUID, sub_user_filter: SubUserFilter, limit: int, last_values: Sequence[Any] | None
    ) -> tuple[int | None, int | None, Sequence[tuple[SubUserDetails, str]]]:
        """Return the version of the account's stream, the version in the view, and sub-users with their sort keys."""
        query, parameters = _list_statement(account_id, sub_user_filter, limit, last_values)
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, query, parameters)
        items = [(to_details(row), row.sort_key) for row in rows if row.sub_user_id is not None]
        return rows[0].stream_version, rows[0].view_version, items


def parse_sort(text: str) -> tuple[Sort, bool]:
    """Parse a `sort` parameter: return the order, and whether it is descending. Raises `InvalidValue`."""
    try:
        return Sort(text.removeprefix("-")), text.startswith("-")
    except ValueError:
        raise InvalidValue("sort", f"must be one of {', '.join(Sort)}, with a leading - to reverse") from None


def _list_statement(
    account_id: UUID, sub_user_filter: SubUserFilter, limit: int, last_values: Sequence[Any] | None
) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {"account_id": account_id, "limit": limit}
    if sub_user_filter.q:
        parameters["q"] = sub_user_filter.q
    if last_values is not None:
        parameters |= {"last_key": last_values[0], "last_id": last_values[1]}
    options = (
        sub_user_filter.status,
        sub_user_filter.visibility,
        bool(sub_user_filter.q),
        sub_user_filter.sort,
        sub_user_filter.descending,
        last_values is not None,
    )
    return _list_sql(*options), parameters


@cache
def _list_sql(status: str | None, visibility: str, searched: bool, sort: Sort, descending: bool, paged: bool) -> str:  # noqa: FBT001, PLR0913, PLR0917  # the arguments are the cache key
    """Return the statement for these options, cached: composing it takes longer than executing it."""
    order = sql.SQL("DESC") if descending else sql.SQL("ASC")
    where: list[sql.Composable] = [sql.SQL("account_id = %(account_id)s")]
    if status is not None:
        where.append(sql.SQL("active") if status == "active" else sql.SQL("NOT active"))
    if visibility != "all":
        where.append(sql.SQL("visible") if visibility == "visible" else sql.SQL("NOT visible"))
    if searched:
        where.append(sql.SQL("strpos(lower(name || ' ' || surname || ' ' || email), lower(%(q)s)) > 0"))
    key = SORT_KEYS[sort]
    if paged:
        compare = sql.SQL("<") if descending else sql.SQL(">")
        where.append(
            sql.SQL("({}, sub_user_id) {} (%(last_key)s::{}, %(last_id)s::uuid)").format(
                key, compare, SORT_KEY_TYPES.get(sort, sql.SQL("text"))
            )
        )
    listing = sql.SQL(SQL["list_sub_users"]).format(
        columns=COLUMNS, key=key, where=sql.SQL(" AND ").join(where), order=order
    )
    return listing.as_string()
