"""Queries of accounts and sub-users."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import sql

from adapters.postgres.prepared_statements import dataclass_factory, fetch_all
from adapters.postgres.sql_files import statements
from application.commands.resources import AccountDetails, SubUserDetails
from application.errors import InvalidValue
from domain.refusals import AccountNotFound, SubUserNotFound
from domain.sub_user import EXPIRING_PERIOD, AccessFacts, AccessStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from application.pagination_cursors import Cursors
    from application.ports.clock import Clock
    from projections.runtime.freshness import Database, Freshness

SQL = statements("projections.sub_users", "queries")
to_details = dataclass_factory(SubUserDetails)
to_access_facts = dataclass_factory(AccessFacts)
COMPUTED_FIELDS = frozenset({"status", "temporary_password_expires_at"})
"""Fields of a sub-user's details that the statements compute from other columns."""

COLUMNS = sql.SQL(", ").join(
    sql.Identifier(field.name) for field in fields(SubUserDetails) if field.name not in COMPUTED_FIELDS
)
FIND_CHOSEN = sql.SQL(SQL["find_chosen"]).format(columns=COLUMNS).as_string()
FIND_SUB_USER = sql.SQL(SQL["find_sub_user"]).format(columns=COLUMNS).as_string()


class Sort(StrEnum):
    """Sort orders of the list of sub-users. A leading minus reverses the order."""

    CREATED_AT = "created_at"
    NAME = "name"
    SURNAME = "surname"
    EMAIL = "email"
    STATUS = "status"
    LAST_LOGIN_AT = "last_login_at"


BY_NAME = ("name_key", "text")
SORT_KEYS: dict[Sort, tuple[tuple[LiteralString, LiteralString], ...]] = {
    Sort.CREATED_AT: (("created_at", "timestamptz"),),
    Sort.NAME: (BY_NAME,),
    Sort.SURNAME: (("surname_key", "text"),),
    Sort.EMAIL: (("lower(email)", "text"),),
    Sort.STATUS: (("(NOT active)", "boolean"), BY_NAME),
    Sort.LAST_LOGIN_AT: (("coalesce(last_login_at, '-infinity')", "timestamptz"), BY_NAME),
}
"""Expressions to sort by, and their types. The id follows, so that the order is total."""

FACTS: dict[str, LiteralString] = {
    "active": "active",
    "has_expired": "coalesce(access_expires_at <= %(now)s, false)",
    "locked": "locked",
    "has_logged_in": "(last_login_at IS NOT NULL)",
    "expires_soon": "coalesce(access_expires_at <= %(soon)s, false)",
}
"""Expressions of the fields of `AccessFacts`."""


@dataclass(frozen=True)
class SubUserFilter:
    """Which sub-users to list, and in which order. None and "" exclude no sub-user."""

    status: str | None = None
    visibility: str = "all"
    q: str = ""
    sort: Sort = Sort.CREATED_AT
    descending: bool = False
    access_status: AccessStatus | None = None

    def cursor_scope(self, account_id: UUID) -> list[str]:
        """Return the values that a cursor of this list is bound to."""
        choices = [self.status or "", self.access_status or "", self.visibility, self.q]
        return [str(account_id), *choices, self.sort, str(self.descending)]


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

    def __init__(self, database: Database, freshness: Freshness, cursors: Cursors, clock: Clock) -> None:
        self._database = database
        self._freshness = freshness
        self._cursors = cursors
        self._clock = clock

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

    def chosen(self, account_id: UUID, sub_user_ids: Sequence[UUID]) -> Sequence[SubUserDetails]:
        """Return these sub-users by name, without those that the account does not have. Raises `AccountNotFound`."""
        self._freshness.wait_for_account(account_id, None)
        parameters = {"account_id": account_id, "ids": sub_user_ids}
        with self._database.get_connection() as connection:
            return [to_details(row) for row in fetch_all(connection, FIND_CHOSEN, parameters)]

    def emails(self, account_id: UUID) -> set[str]:
        """Return the e-mails of all sub-users, case-folded. Raises `AccountNotFound`."""
        self._freshness.wait_for_account(account_id, None)
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["find_emails"], {"account_id": account_id})
        return {row.email.casefold() for row in rows}

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
                sub_user_filter.cursor_scope(account_id), [*sort_key, str(last_item.sub_user_id)]
            )
        return Page([details for details, _ in items[:limit]], next_cursor)

    def _select(
        self, account_id: UUID, sub_user_filter: SubUserFilter, limit: int, last_values: Sequence[Any] | None
    ) -> tuple[int | None, int | None, Sequence[tuple[SubUserDetails, Sequence[str]]]]:
        """Return the version of the account's stream, the version in the view, and sub-users with their sort keys."""
        query = _list_sql(
            _conditions(sub_user_filter), sub_user_filter.sort, sub_user_filter.descending, bool(last_values)
        )
        parameters = self._parameters(account_id, sub_user_filter) | {"limit": limit}
        parameters |= {f"last_{number}": value for number, value in enumerate(last_values or ())}
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, query, parameters)
        items = [(to_details(row), row.sort_key) for row in rows if row.sub_user_id is not None]
        return rows[0].stream_version, rows[0].view_version, items

    def count_by_access_status(self, account_id: UUID, sub_user_filter: SubUserFilter) -> dict[AccessStatus, int]:
        """Return how many sub-users with each access status the list has. Raises `AccountNotFound`."""
        self._freshness.wait_for_account(account_id, None)
        parameters = self._parameters(account_id, sub_user_filter)
        counts = dict.fromkeys(AccessStatus, 0)
        with self._database.get_connection() as connection:
            for row in fetch_all(connection, _count_sql(_conditions(sub_user_filter)), parameters):
                counts[to_access_facts(row).status] += row.sub_users
        return counts

    def _parameters(self, account_id: UUID, sub_user_filter: SubUserFilter) -> dict[str, Any]:
        now = self._clock()
        return {"account_id": account_id, "q": sub_user_filter.q, "now": now, "soon": now + EXPIRING_PERIOD}


def parse_sort(text: str) -> tuple[Sort, bool]:
    """Parse a `sort` parameter: return the order, and whether it is descending. Raises `InvalidValue`."""
    try:
        return Sort(text.removeprefix("-")), text.startswith("-")
    except ValueError:
        raise InvalidValue("sort", f"must be one of {', '.join(Sort)}, with a leading - to reverse") from None


@dataclass(frozen=True)
class _Conditions:
    """The parts of a filter that the text of a statement depends on."""

    status: str | None
    access_status: AccessStatus | None
    visibility: str
    is_searched: bool


def _conditions(sub_user_filter: SubUserFilter) -> _Conditions:
    return _Conditions(
        sub_user_filter.status, sub_user_filter.access_status, sub_user_filter.visibility, bool(sub_user_filter.q)
    )


def _where(conditions: _Conditions) -> list[sql.Composable]:
    where: list[sql.Composable] = [sql.SQL("account_id = %(account_id)s")]
    if conditions.status is not None:
        where.append(sql.SQL("active") if conditions.status == "active" else sql.SQL("NOT active"))
    if conditions.access_status is not None:
        facts = (sql.SQL("({})").format(sql.SQL(", ").join(values)) for values in _facts_of(conditions.access_status))
        where.append(sql.SQL("({}) IN ({})").format(_joined(FACTS.values()), sql.SQL(", ").join(facts)))
    if conditions.visibility != "all":
        where.append(sql.SQL("visible") if conditions.visibility == "visible" else sql.SQL("NOT visible"))
    if conditions.is_searched:
        where.append(sql.SQL("strpos(found_by, search_text(%(q)s)) > 0"))
    return where


def _facts_of(status: AccessStatus) -> list[list[sql.Literal]]:
    """Return every combination of facts with this status."""
    combinations = (AccessFacts(*values) for values in product((False, True), repeat=len(FACTS)))
    return [[sql.Literal(value) for value in vars(facts).values()] for facts in combinations if facts.status == status]


def _joined(expressions: Iterable[LiteralString]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL(expression) for expression in expressions)


@cache
def _count_sql(conditions: _Conditions) -> str:
    facts = (sql.SQL("{} AS {}").format(sql.SQL(FACTS[f.name]), sql.Identifier(f.name)) for f in fields(AccessFacts))
    counting = sql.SQL(SQL["count_by_facts"]).format(
        facts=sql.SQL(", ").join(facts),
        where=sql.SQL(" AND ").join(_where(conditions)),
        positions=sql.SQL(", ").join(sql.Literal(number + 1) for number in range(len(FACTS))),
    )
    return counting.as_string()


@cache
def _list_sql(conditions: _Conditions, sort: Sort, descending: bool, paged: bool) -> str:  # noqa: FBT001  # the arguments are the cache key
    """Return the statement for these options, cached: composing it takes longer than executing it."""
    where, keys = _where(conditions), SORT_KEYS[sort]
    columns: list[LiteralString] = [*(expression for expression, _ in keys), "sub_user_id"]
    if paged:
        compare = sql.SQL("<") if descending else sql.SQL(">")
        types: list[LiteralString] = [*(key_type for _, key_type in keys), "uuid"]
        last = (sql.SQL("{}::{}").format(sql.Placeholder(f"last_{i}"), sql.SQL(name)) for i, name in enumerate(types))
        where.append(sql.SQL("({}) {} ({})").format(_joined(columns), compare, sql.SQL(", ").join(last)))
    order = sql.SQL("DESC") if descending else sql.SQL("ASC")
    listing = sql.SQL(SQL["list_sub_users"]).format(
        columns=COLUMNS,
        keys=sql.SQL(", ").join(sql.SQL("({})::text").format(sql.SQL(expression)) for expression, _ in keys),
        where=sql.SQL(" AND ").join(where),
        order=sql.SQL(", ").join(sql.SQL("{} {}").format(sql.SQL(column), order) for column in columns),
    )
    return listing.as_string()
