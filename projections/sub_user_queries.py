"""What is read of accounts and sub-users."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg import sql

from application.errors import InvalidValue
from application.resources import AccountDetails, SubUserDetails
from domain.refusals import AccountNotFound, SubUserNotFound
from projections.round_trips import rows_of
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from projections.cursors import Cursors
    from projections.freshness import Database, Freshness

SQL = statements("projections", "sub_user_queries")


class Sort(StrEnum):
    """The orders in which sub-users are listed; a leading minus reverses."""

    CREATED_AT = "created_at"
    NAME = "name"
    SURNAME = "surname"
    EMAIL = "email"
    STATUS = "status"
    LAST_LOGIN_AT = "last_login_at"


ORDERED_BY = {
    Sort.CREATED_AT: sql.SQL("created_at"),
    Sort.NAME: sql.SQL("lower(name)"),
    Sort.SURNAME: sql.SQL("lower(surname)"),
    Sort.EMAIL: sql.SQL("lower(email)"),
    Sort.STATUS: sql.SQL("(NOT active)"),
    Sort.LAST_LOGIN_AT: sql.SQL("coalesce(last_login_at, '-infinity')"),
}
TYPES = {
    Sort.STATUS: sql.SQL("boolean"),
    Sort.CREATED_AT: sql.SQL("timestamptz"),
    Sort.LAST_LOGIN_AT: sql.SQL("timestamptz"),
}


@dataclass(frozen=True)
class SubUserFilter:
    """Which sub-users to list, and how; None and "" leave nobody out."""

    status: str | None = None
    visibility: str = "all"
    q: str = ""
    sort: Sort = Sort.CREATED_AT
    descending: bool = False

    def scope(self, account_id: UUID) -> list[str]:
        """Return what a cursor of this list is bound to."""
        return [str(account_id), self.status or "", self.visibility, self.q, self.sort, str(self.descending)]


@dataclass(frozen=True)
class Page:
    """Some sub-users, and the cursor of the next ones, if there are more."""

    items: list[SubUserDetails]
    next_cursor: str | None


class SubUserQueries:
    """Reads the view of accounts and sub-users, once it has all that was recorded before."""

    def __init__(self, database: Database, freshness: Freshness, cursors: Cursors) -> None:
        self._database = database
        self._freshness = freshness
        self._cursors = cursors

    def account(self, account_id: UUID, at_least: int | None = None) -> AccountDetails:
        """Return an account. Raises `AccountNotFound`."""
        self._freshness.of_account(account_id, at_least)
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["find_account"], {"account_id": account_id}, prepare=True).fetchone()
        if row is None:
            raise AccountNotFound
        return AccountDetails(**row)

    def sub_user(self, account_id: UUID, sub_user_id: UUID, at_least: int | None = None) -> SubUserDetails:
        """Return a sub-user. Raises `AccountNotFound`, `SubUserNotFound`."""
        self._freshness.of_account(account_id, at_least)
        key = {"account_id": account_id, "sub_user_id": sub_user_id}
        with self._database.get_connection() as connection:
            rows = rows_of(connection, SQL["find_sub_user"], key)
        if not rows:
            raise SubUserNotFound
        return SubUserDetails(*rows[0])

    def list(
        self, account_id: UUID, wanted: SubUserFilter, limit: int, cursor: str | None, at_least: int | None = None
    ) -> Page:
        """Return a page of an account's sub-users. Raises `AccountNotFound`, `InvalidValue` for a foreign cursor."""
        last = self._cursors.read(wanted.scope(account_id), cursor) if cursor else None
        stored, seen, rows = self._listed(account_id, wanted, limit + 1, last)
        if stored is None or seen is None or seen < stored or at_least is not None:
            self._freshness.of_account(account_id, at_least)
            _, _, rows = self._listed(account_id, wanted, limit + 1, last)
        next_cursor = None
        if len(rows) > limit:
            last_shown, sort_key = rows[limit - 1]
            next_cursor = self._cursors.write(wanted.scope(account_id), [sort_key, str(last_shown.sub_user_id)])
        return Page([details for details, _ in rows[:limit]], next_cursor)

    def _listed(
        self, account_id: UUID, wanted: SubUserFilter, limit: int, last: Sequence[Any] | None
    ) -> tuple[int | None, int | None, Sequence[tuple[SubUserDetails, str]]]:
        """Return how long the account's stream is, how much of it the view has, and some sub-users with their keys."""
        query, parameters = _listing(account_id, wanted, limit, last)
        with self._database.get_connection() as connection:
            rows = rows_of(connection, query, parameters)
        stored, seen = rows[0][:2]
        return stored, seen, [(SubUserDetails(*row[2:-1]), row[-1]) for row in rows if row[2] is not None]


def sort_order(text: str) -> tuple[Sort, bool]:
    """Return the order that a `sort` parameter asks for, and whether it is reversed. Raises `InvalidValue`."""
    try:
        return Sort(text.removeprefix("-")), text.startswith("-")
    except ValueError:
        raise InvalidValue("sort", f"must be one of {', '.join(Sort)}, with a leading - to reverse") from None


def _listing(
    account_id: UUID, wanted: SubUserFilter, limit: int, last: Sequence[Any] | None
) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {"account_id": account_id, "limit": limit}
    if wanted.q:
        parameters["q"] = wanted.q
    if last is not None:
        parameters |= {"last_key": last[0], "last_id": last[1]}
    kind = (wanted.status, wanted.visibility, bool(wanted.q), wanted.sort, wanted.descending, last is not None)
    return _statement(*kind), parameters


@cache
def _statement(status: str | None, visibility: str, searched: bool, sort: Sort, descending: bool, later: bool) -> str:  # noqa: FBT001, PLR0913, PLR0917  # all that tells one statement from another
    """Return the statement for a kind of list: putting it together takes longer than the server does to answer it."""
    order = sql.SQL("DESC") if descending else sql.SQL("ASC")
    where: list[sql.Composable] = [sql.SQL("account_id = %(account_id)s")]
    if status is not None:
        where.append(sql.SQL("active") if status == "active" else sql.SQL("NOT active"))
    if visibility != "all":
        where.append(sql.SQL("visible") if visibility == "visible" else sql.SQL("NOT visible"))
    if searched:
        where.append(sql.SQL("strpos(lower(name || ' ' || surname || ' ' || email), lower(%(q)s)) > 0"))
    key = ORDERED_BY[sort]
    if later:
        compare = sql.SQL("<") if descending else sql.SQL(">")
        where.append(
            sql.SQL("({}, sub_user_id) {} (%(last_key)s::{}, %(last_id)s::uuid)").format(
                key, compare, TYPES.get(sort, sql.SQL("text"))
            )
        )
    listing = sql.SQL(SQL["list_sub_users"]).format(key=key, where=sql.SQL(" AND ").join(where), order=order)
    return listing.as_string()
