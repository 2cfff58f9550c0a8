"""Requests about permissions, roles and grants."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from subusers_client._async.accounts import path_of as path_of_account
from subusers_client._async.pagination import page
from subusers_client._async.sub_users import path_of as path_of_sub_user
from subusers_client.decoding import decode, encode, id_text
from subusers_client.requests import Request, idempotency_header, not_none, revision_header
from subusers_client.role_models import Grant, NewGrant, Permission, PermissionCatalogue, Role, grant_body

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from subusers_client._async.transport import AsyncTransport
    from subusers_client.role_models import Resource

PERMISSIONS = "/v1/permissions"
ROLE_GONE = frozenset({"role-not-found"})
GRANT_GONE = frozenset({"grant-not-found"})


class AsyncPermissions:
    """The permission catalogue, which is that of all accounts."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def get(self) -> PermissionCatalogue:
        """Return the permission catalogue."""
        response = await self._transport.send(Request(method="GET", path=PERMISSIONS))
        return decode(PermissionCatalogue, response.body)

    async def replace(
        self, *, permissions: Iterable[Permission], if_revision: int | None = None, remove_from_roles: bool = False
    ) -> PermissionCatalogue:
        """Replace the permission catalogue.

        Raises `Conflict` (`permission-in-use`) if roles have a permission that would no longer be grantable, unless
        `remove_from_roles`: then they lose it. With `if_revision`, raises `RevisionMismatch` if it has changed since.
        """
        body = {"permissions": [asdict(permission) for permission in permissions]}
        request = Request(
            method="PUT",
            path=PERMISSIONS,
            body=encode({**body, "remove_from_roles": remove_from_roles}),
            headers=revision_header(None if if_revision is None else f'"{if_revision}"'),
        )
        return decode(PermissionCatalogue, (await self._transport.send(request)).body)


class AsyncRoles:
    """Roles of an account."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(self, *, account_id: UUID | str) -> tuple[Role, ...]:
        """Return the roles of an account: the built-in ones, then its own by name."""
        return (await page(self._transport, Role, Request(method="GET", path=_path_of_roles(account_id)))).items

    async def get(self, *, account_id: UUID | str, role_id: UUID | str) -> Role:
        """Return a role."""
        request = Request(method="GET", path=_path_of_role(account_id, role_id))
        return decode(Role, (await self._transport.send(request)).body)

    async def create(
        self,
        *,
        account_id: UUID | str,
        name: str,
        permissions: Iterable[str],
        description: str | None = None,
        idempotency_key: str | None = None,
    ) -> Role:
        """Create a role. Raises `Conflict`: `role-name-taken` or `role-limit-reached`."""
        body = not_none(name=name, permissions=list(permissions), description=description)
        request = Request(
            method="POST",
            path=_path_of_roles(account_id),
            body=encode(body),
            headers=idempotency_header(idempotency_key),
        )
        return decode(Role, (await self._transport.send(request)).body)

    async def change(
        self,
        *,
        account_id: UUID | str,
        role_id: UUID | str,
        name: str | None = None,
        permissions: Iterable[str] | None = None,
        description: str | None = None,
    ) -> Role:
        """Change the given values of a role, all or none. Checks follow it at once."""
        body = not_none(
            name=name, permissions=None if permissions is None else list(permissions), description=description
        )
        request = Request(method="PATCH", path=_path_of_role(account_id, role_id), body=encode(body))
        return decode(Role, (await self._transport.send(request)).body)

    async def delete(self, *, account_id: UUID | str, role_id: UUID | str) -> None:
        """Delete a role. Raises `Conflict` (`role-in-use`) if a sub-user has it."""
        await self._transport.send(
            Request(method="DELETE", path=_path_of_role(account_id, role_id), done_if_repeated=ROLE_GONE)
        )


class AsyncGrants:
    """Roles that sub-users have."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(self, *, account_id: UUID | str, sub_user_id: UUID | str) -> tuple[Grant, ...]:
        """Return the grants of a sub-user, also expired ones, oldest first."""
        request = Request(method="GET", path=_path_of_grants(account_id, sub_user_id))
        return (await page(self._transport, Grant, request)).items

    async def give(
        self,
        *,
        account_id: UUID | str,
        sub_user_id: UUID | str,
        role_id: UUID | str,
        resource: Resource | None = None,
        expires_at: datetime | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Grant:
        """Give a role to a sub-user: on everything (no resource) or on one resource, for good or until a time."""
        grant = NewGrant(role_id=role_id, resource=resource, expires_at=expires_at)
        request = Request(
            method="POST",
            path=_path_of_grants(account_id, sub_user_id),
            body=encode({**grant_body(grant), "reason": reason}),
            headers=idempotency_header(idempotency_key),
        )
        return decode(Grant, (await self._transport.send(request)).body)

    async def replace(
        self, *, account_id: UUID | str, sub_user_id: UUID | str, grants: Iterable[NewGrant], reason: str | None = None
    ) -> tuple[Grant, ...]:
        """Replace all grants of a sub-user, or change nothing. Grants that stay the same keep their ids."""
        request = Request(
            method="PUT",
            path=_path_of_grants(account_id, sub_user_id),
            body=encode({"grants": [grant_body(grant) for grant in grants], "reason": reason}),
        )
        return (await page(self._transport, Grant, request)).items

    async def revoke(self, *, account_id: UUID | str, sub_user_id: UUID | str, grant_id: UUID | str) -> None:
        """Revoke a grant. Once this returns, no check allows what it gave."""
        path = f"{_path_of_grants(account_id, sub_user_id)}/{id_text(grant_id)}"
        await self._transport.send(Request(method="DELETE", path=path, done_if_repeated=GRANT_GONE))


def _path_of_roles(account_id: UUID | str) -> str:
    return f"{path_of_account(account_id)}/roles"


def _path_of_role(account_id: UUID | str, role_id: UUID | str) -> str:
    return f"{_path_of_roles(account_id)}/{id_text(role_id)}"


def _path_of_grants(account_id: UUID | str, sub_user_id: UUID | str) -> str:
    return f"{path_of_sub_user(account_id, sub_user_id)}/grants"
