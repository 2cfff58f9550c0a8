"""Tables of roles and grants, which checks of access read."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from adapters.postgres.prepared_statements import fetch_all
from adapters.postgres.sql_files import statements
from adapters.postgres.tables.sessions import PostgresSessions, session_from
from application.commands.access_control.grant_store import AccessState, GrantRecord, SessionAccess
from domain.roles import Grant, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.access_control", "grants")


class PostgresGrants:
    """Reads the tables `account_roles` and `role_grants`. Each answer is of one moment: a single statement."""

    def __init__(self, database: PostgresDatastore, sessions: PostgresSessions, catalogue_id: UUID) -> None:
        self._database = database
        self._sessions = sessions
        self._catalogue_id = catalogue_id

    def of_session(self, token_hash: bytes, now: datetime, resources: Iterable[Resource]) -> SessionAccess | None:
        """Return the session of a token with the grants on everything and on some resources, and record its use."""
        rows = self._fetch_asked("grants_of_session", resources, token_hash=token_hash, now=now)
        if not rows:
            return None
        session = session_from(rows[0])
        self._sessions.record_use(session, token_hash, now)
        return SessionAccess(session, _state(rows))

    def of_sub_user(self, account_id: UUID, sub_user_id: UUID, resources: Iterable[Resource]) -> AccessState:
        """Return the grants of a sub-user on everything and on some resources."""
        return _state(
            self._fetch_asked("grants_of_sub_user", resources, account_id=account_id, sub_user_id=sub_user_id)
        )

    def of_sub_user_by_type(self, account_id: UUID, sub_user_id: UUID, resource_type: str | None) -> AccessState:
        """Return the grants of a sub-user on everything and on resources of a type."""
        key = {"account_id": account_id, "sub_user_id": sub_user_id, "resource_type": resource_type or ""}
        return _state(self._fetch("grants_of_sub_user_by_type", **key))

    def of_sub_user_in_full(self, account_id: UUID, sub_user_id: UUID) -> AccessState:
        """Return all grants of a sub-user."""
        return _state(self._fetch("grants_of_sub_user_in_full", account_id=account_id, sub_user_id=sub_user_id))

    def of_account(self, account_id: UUID, resource: Resource | None) -> AccessState:
        """Return the grants of all sub-users of an account on everything and on a resource."""
        resources = [] if resource is None else [resource]
        return _state(self._fetch_asked("grants_of_account", resources, account_id=account_id))

    def list(self, sub_user_id: UUID) -> Sequence[GrantRecord]:
        """Return all grants of a sub-user, oldest first."""
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["list_grants"], {"sub_user_id": sub_user_id})
        return [GrantRecord(_grant(row), row.granted_at, row.encrypted_label, row.encrypted_reason) for row in rows]

    def catalogue_revision(self) -> int:
        """Return the current revision of the permission catalogue."""
        (row,) = self._fetch("catalogue_revision")
        revision: int = row.catalogue_revision
        return revision

    def accounts_with_permissions(self, names: Iterable[str]) -> Mapping[UUID, int]:
        """Return the accounts in which a role has one of these permissions, with the versions of their streams."""
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["accounts_with_permissions"], {"names": list(names)})
        return {row.account_id: row.version for row in rows}

    def _fetch(self, name: str, **parameters: Any) -> Sequence[Any]:
        return self._fetch_sql(SQL[name], parameters)

    def _fetch_asked(self, name: str, resources: Iterable[Resource], **parameters: Any) -> Sequence[Any]:
        """Fetch rows of grants on everything and on resources."""
        asked, columns = _asked(resources)
        return self._fetch_sql(_statement(name, asked), parameters | columns)

    def _fetch_sql(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        with self._database.get_connection() as connection:
            return fetch_all(connection, sql, {"catalogue_id": self._catalogue_id, **parameters})


@cache
def _statement(name: str, asked: str) -> str:
    return SQL[name].replace("{asked}", asked)


def _asked(resources: Iterable[Resource]) -> tuple[str, dict[str, Any]]:
    """Return the arrays of types and ids of distinct resources, and their parameters. On everything, both are empty.

    With few elements PostgreSQL sees how many there are, and keeps one plan. Otherwise it expects ten, finds a plan for
    the actual ones cheaper, and plans each execution anew, which takes six times as long as the execution.
    """
    distinct = list({(resource.type, resource.id): resource for resource in resources}.values())
    match distinct:
        case []:
            return "ARRAY[''], ARRAY['']", {}
        case [resource]:
            return "ARRAY['', %(type)s::text], ARRAY['', %(id)s::text]", {"type": resource.type, "id": resource.id}
        case _:
            types = ["", *(resource.type for resource in distinct)]
            ids = ["", *(resource.id for resource in distinct)]
            return "%(types)s::text[], %(ids)s::text[]", {"types": types, "ids": ids}


def _state(rows: Sequence[Any]) -> AccessState:
    """Return the state in the rows of a statement: at least one, whose columns of a grant are null if there is none."""
    granted = [row for row in rows if row.grant_id is not None]
    return AccessState(
        catalogue_revision=rows[0].catalogue_revision,
        grants=[_grant(row) for row in granted],
        role_permissions={row.role_id: frozenset(row.permissions) for row in granted if row.permissions is not None},
        account_version=rows[0].account_version,
    )


def _grant(row: Any) -> Grant:
    resource = Resource(row.resource_type, row.resource_id) if row.resource_type else None
    return Grant(row.grant_id, row.sub_user_id, row.role_id, resource, row.grant_expires_at, row.version)
