"""Requests about the sessions of sub-users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from subusers_client._async.pagination import page
from subusers_client.decoding import decode, encode, id_text
from subusers_client.errors import UnexpectedResponse
from subusers_client.models import Introspection, NewSession, SessionInfo
from subusers_client.requests import Request, client_headers, could_be_token, not_none, token_header
from subusers_client.retries import Repeatable
from subusers_client.role_models import AllowedResources, Because, CheckResult, ResourcePage, reference_to

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from subusers_client._async.transport import AsyncTransport
    from subusers_client.role_models import Check, Resource

SESSIONS = "/v1/sessions"
CURRENT = f"{SESSIONS}/current"
ENDED = frozenset({"session-ended"})
ENDED_OR_GONE = ENDED | {"session-not-found"}


class AsyncSessions:
    """Sessions of sub-users."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def log_in(
        self,
        *,
        account_email: str,
        email: str,
        password: str,
        client_ip: str | None,
        client_user_agent: str | None = None,
        device_id: str | None = None,
    ) -> NewSession:
        """Log a sub-user in. Raises `LoginRefused`, or `TooManyRequests` while logins are throttled.

        `client_ip` is the address of the browser, for throttling. Without it, all logins count as one client. The
        sub-user is mailed about the first login with a `device_id`, your own id of their device.
        """
        request = Request(
            method="POST",
            path="/v1/sessions",
            body=encode(not_none(account_email=account_email, email=email, password=password, device_id=device_id)),
            headers=client_headers(client_ip, client_user_agent),
        )
        return decode(NewSession, (await self._transport.send(request)).body)

    async def introspect(
        self,
        *,
        token: str,
        permission: str | None = None,
        resource: Resource | None = None,
        checks: Iterable[Check] = (),
        profile: bool = False,
    ) -> Introspection:
        """Return whether a session is active, and whether it has a permission. Each call counts as a use.

        `allowed` is about `permission`: on the `resource`, or without one on everything. The results of up to 100
        further `checks` are in their order. With `profile`, the result has the sub-user's name and e-mail, which takes
        longer.
        """
        if resource is not None and permission is None:
            raise ValueError("resource needs a permission")
        checks = tuple(checks)
        if not could_be_token(token):
            allowed = None if permission is None else False
            return Introspection(active=False, allowed=allowed, checks=tuple(map(_refused, checks)))
        body = not_none(
            token=token,
            permission=permission,
            resource=reference_to(resource),
            checks=[_check_body(check) for check in checks] or None,
            profile=profile or None,
        )
        request = Request(
            method="POST",
            path="/v1/sessions/introspect",
            body=encode(body),
            time_limit=self._transport.settings.introspection_time_limit,
        )
        introspection = decode(Introspection, (await self._transport.send(request)).body)
        if permission is not None and introspection.active and introspection.allowed is None:
            raise UnexpectedResponse("the response does not tell whether the permission is allowed")
        if [(result.permission, result.resource) for result in introspection.checks] != [
            (check.permission, check.resource) for check in checks
        ]:
            raise UnexpectedResponse("the response does not have the result of each check")
        return introspection

    async def resources(self, *, token: str, permission: str) -> AllowedResources:
        """Return the resources that a session may act on. All pages are requested. Raises `SessionEnded`."""
        items: tuple[Resource, ...] = ()
        cursor: str | None = None
        while True:
            page = await self.resource_page(token=token, permission=permission, limit=200, cursor=cursor)
            items += page.items
            cursor = page.next_cursor
            if cursor is None:
                return AllowedResources(all=page.all, items=items)

    async def resource_page(
        self, *, token: str, permission: str, limit: int | None = None, cursor: str | None = None
    ) -> ResourcePage:
        """Return one page of the resources that a session may act on. Raises `SessionEnded`."""
        request = Request(
            method="GET",
            path=f"{CURRENT}/resources",
            query={"permission": permission, "limit": limit, "cursor": cursor},
            headers=token_header(token),
            time_limit=self._transport.settings.introspection_time_limit,
        )
        return decode(ResourcePage, (await self._transport.send(request)).body)

    async def change_password(
        self, *, token: str, current_password: str, new_password: str, device_id: str | None = None
    ) -> NewSession:
        """Replace the sub-user's password, and return a new session: all earlier ones end.

        Raises `InvalidRequest` with `errors["current_password"]` if that is wrong.
        """
        request = Request(
            method="PUT",
            path=f"{CURRENT}/password",
            body=encode(not_none(current_password=current_password, new_password=new_password, device_id=device_id)),
            headers=token_header(token),
            repeatable=Repeatable.UNLESS_EXECUTED,  # a repetition would find the session ended
        )
        return decode(NewSession, (await self._transport.send(request)).body)

    async def own_sessions(self, *, token: str) -> tuple[SessionInfo, ...]:
        """Return the valid sessions of a token's sub-user, newest first. Raises `SessionEnded`."""
        request = Request(method="GET", path=SESSIONS, headers=token_header(token))
        return (await page(self._transport, SessionInfo, request)).items

    async def end_own_session(self, *, token: str, session_id: UUID | str) -> None:
        """End one session of a token's sub-user. Raises `SessionEnded`, or `NotFound` for a session of others."""
        path = f"{SESSIONS}/{id_text(session_id)}"
        await self._transport.send(
            Request(method="DELETE", path=path, headers=token_header(token), done_if_repeated=ENDED_OR_GONE)
        )

    async def end_other_sessions(self, *, token: str) -> None:
        """End all sessions of a token's sub-user but that of the token. Raises `SessionEnded`."""
        await self._transport.send(Request(method="DELETE", path=f"{SESSIONS}/others", headers=token_header(token)))

    async def log_out(self, *, token: str) -> None:
        """End a session. Raises `SessionEnded` if it has ended already."""
        await self._transport.send(
            Request(method="DELETE", path=CURRENT, headers=token_header(token), done_if_repeated=ENDED)
        )


def _check_body(check: Check) -> dict[str, Any]:
    return not_none(id=check.id, permission=check.permission, resource=reference_to(check.resource))


def _refused(check: Check) -> CheckResult:
    """Return the result of a check of a session that does not exist."""
    because = Because(missing="session")
    return CheckResult(
        id=check.id, permission=check.permission, resource=check.resource, allowed=False, because=because
    )
