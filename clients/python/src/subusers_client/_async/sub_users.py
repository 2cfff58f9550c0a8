"""Requests about sub-users."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from subusers_client._async.accounts import path_of as path_of_account
from subusers_client._async.pagination import page, pages
from subusers_client.decoding import decode, decode_json, encode, id_text
from subusers_client.models import Page, SessionInfo, SubUser
from subusers_client.requests import (
    UNSET,
    Request,
    Response,
    Unset,
    given,
    idempotency_header,
    not_none,
    position_header,
    revision_header,
)
from subusers_client.retries import Repeatable
from subusers_client.role_models import grant_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime
    from uuid import UUID

    from subusers_client._async.transport import AsyncTransport
    from subusers_client.role_models import NewGrant

GONE = frozenset({"sub-user-not-found"})
NO_SESSION = frozenset({"session-not-found"})


class AsyncSubUsers:
    """Sub-users of an account."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        account_id: UUID | str,
        email: str,
        name: str,
        surname: str,
        password: str | None = None,
        visible: bool | None = None,
        access_expires_at: datetime | None = None,
        grants: Iterable[NewGrant] | None = None,
        idempotency_key: str | None = None,
    ) -> SubUser:
        """Create an inactive sub-user. Without `password`, the service generates one that only the sub-user sees.

        With `grants` they have exactly these roles, else the built-in role Operator on everything.
        """
        body = not_none(
            email=email,
            name=name,
            surname=surname,
            password=password,
            visible=visible,
            access_expires_at=access_expires_at,
            grants=None if grants is None else [grant_body(grant) for grant in grants],
        )
        request = Request(
            method="POST",
            path=f"{path_of_account(account_id)}/sub-users",
            body=encode(body),
            headers=idempotency_header(idempotency_key),
        )
        return _sub_user(await self._transport.send(request))

    def list(
        self,
        *,
        account_id: UUID | str,
        status: str | None = None,
        access_status: str | None = None,
        visibility: str | None = None,
        q: str | None = None,
        sort: str | None = None,
        at_least: int | None = None,
    ) -> AsyncIterator[SubUser]:
        """Iterate over all sub-users that match the filters. Further pages are requested as needed."""
        query = {
            "limit": 200,
            "status": status,
            "access_status": access_status,
            "visibility": visibility,
            "q": q,
            "sort": sort,
        }
        return pages(self._transport, SubUser, self._list_request(account_id, query, at_least))

    async def page(
        self,
        *,
        account_id: UUID | str,
        limit: int | None = None,
        cursor: str | None = None,
        status: str | None = None,
        access_status: str | None = None,
        visibility: str | None = None,
        q: str | None = None,
        sort: str | None = None,
        at_least: int | None = None,
    ) -> Page[SubUser]:
        """Return one page of sub-users. `cursor` is the `next_cursor` of the page before."""
        query = {
            "limit": limit,
            "cursor": cursor,
            "status": status,
            "access_status": access_status,
            "visibility": visibility,
            "q": q,
            "sort": sort,
        }
        return await page(self._transport, SubUser, self._list_request(account_id, query, at_least))

    async def get(self, *, account_id: UUID | str, sub_user_id: UUID | str, at_least: int | None = None) -> SubUser:
        """Return a sub-user."""
        request = Request(method="GET", path=path_of(account_id, sub_user_id), headers=position_header(at_least))
        return _sub_user(await self._transport.send(request))

    async def change(
        self,
        *,
        account_id: UUID | str,
        sub_user_id: UUID | str,
        email: str | None = None,
        name: str | None = None,
        surname: str | None = None,
        password: str | None = None,
        status: str | None = None,
        visible: bool | None = None,
        access_expires_at: datetime | Unset | None = UNSET,
        credentials: str | None = None,
        if_revision: str | None = None,
    ) -> SubUser:
        """Change the given values of a sub-user, all or none. `status` is `active` or `inactive`.

        A new `email` of an active sub-user ends their sessions, and new credentials are mailed there. With
        `credentials="link"`, mails of this change have a link to choose a password, instead of a temporary password.
        `access_expires_at=None` removes the end of access. With `if_revision`, raises `RevisionMismatch` if the
        sub-user has changed since. A change with `password` is not repeated after an unknown outcome, unless
        `if_revision` is given: each repetition would send another mail.
        """
        body = {
            **not_none(email=email, name=name, surname=surname, password=password, status=status, visible=visible),
            **not_none(credentials=credentials),
            **given(access_expires_at=access_expires_at),
        }
        is_safe = password is None or if_revision is not None
        request = Request(
            method="PATCH",
            path=path_of(account_id, sub_user_id),
            body=encode(body),
            headers=revision_header(if_revision),
            repeatable=Repeatable.ALWAYS if is_safe else Repeatable.UNLESS_EXECUTED,
        )
        return _sub_user(await self._transport.send(request))

    async def delete(self, *, account_id: UUID | str, sub_user_id: UUID | str, if_revision: str | None = None) -> None:
        """Delete a sub-user permanently."""
        await self._transport.send(
            Request(
                method="DELETE",
                path=path_of(account_id, sub_user_id),
                headers=revision_header(if_revision),
                done_if_repeated=GONE,
            )
        )

    async def send_credentials(
        self,
        *,
        account_id: UUID | str,
        sub_user_id: UUID | str,
        credentials: str | None = None,
        idempotency_key: str | None = None,
    ) -> SubUser:
        """Mail an active sub-user new credentials: a temporary `password` or a `link`, by default as the last time."""
        request = Request(
            method="POST",
            path=f"{path_of(account_id, sub_user_id)}/credentials-mail",
            body=encode(not_none(credentials=credentials)),
            headers=idempotency_header(idempotency_key),
        )
        return _sub_user(await self._transport.send(request))

    async def sessions(self, *, account_id: UUID | str, sub_user_id: UUID | str) -> tuple[SessionInfo, ...]:
        """Return the valid sessions of a sub-user, newest first."""
        request = Request(method="GET", path=f"{path_of(account_id, sub_user_id)}/sessions")
        return (await page(self._transport, SessionInfo, request)).items

    async def end_sessions(self, *, account_id: UUID | str, sub_user_id: UUID | str) -> None:
        """End all sessions of a sub-user, who may log in again."""
        await self._transport.send(Request(method="DELETE", path=f"{path_of(account_id, sub_user_id)}/sessions"))

    async def end_session(self, *, account_id: UUID | str, sub_user_id: UUID | str, session_id: UUID | str) -> None:
        """End one session of a sub-user. Raises `NotFound` if they do not have it any more."""
        path = f"{path_of(account_id, sub_user_id)}/sessions/{id_text(session_id)}"
        await self._transport.send(Request(method="DELETE", path=path, done_if_repeated=NO_SESSION))

    async def personal_data(self, *, account_id: UUID | str, sub_user_id: UUID | str) -> dict[str, Any]:
        """Return all personal data of a sub-user, as JSON. The audit log records this."""
        request = Request(method="GET", path=f"{path_of(account_id, sub_user_id)}/personal-data", time_limit=120)
        data: dict[str, Any] = decode_json((await self._transport.send(request)).body)
        return data

    def _list_request(self, account_id: UUID | str, query: dict[str, Any], at_least: int | None) -> Request:
        return Request(
            method="GET",
            path=f"{path_of_account(account_id)}/sub-users",
            query=query,
            headers=position_header(at_least),
        )


def path_of(account_id: UUID | str, sub_user_id: UUID | str) -> str:
    """Return the path of a sub-user."""
    return f"{path_of_account(account_id)}/sub-users/{id_text(sub_user_id)}"


def _sub_user(response: Response) -> SubUser:
    return replace(decode(SubUser, response.body), revision=response.headers.get("etag"))
