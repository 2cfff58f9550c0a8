# Generated from ../_async/sessions.py by tools/generate_sync.py. Do not edit.
"""Requests about the sessions of sub-users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from subusers_client.decoding import decode, encode
from subusers_client.errors import UnexpectedResponse
from subusers_client.models import Introspection, NewSession
from subusers_client.requests import Request, client_headers, could_be_token, not_none, token_header
from subusers_client.retries import Repeatable

if TYPE_CHECKING:
    from subusers_client._sync.transport import Transport

CURRENT = "/v1/sessions/current"
ENDED = frozenset({"session-ended"})


class Sessions:
    """Sessions of sub-users."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def log_in(
        self,
        *,
        account_email: str,
        email: str,
        password: str,
        client_ip: str | None,
        client_user_agent: str | None = None,
    ) -> NewSession:
        """Log a sub-user in. Raises `LoginRefused`, or `TooManyRequests` while logins are throttled.

        `client_ip` is the address of the browser, for throttling. Without it, all logins count as one client.
        """
        request = Request(
            method="POST",
            path="/v1/sessions",
            body=encode({"account_email": account_email, "email": email, "password": password}),
            headers=client_headers(client_ip, client_user_agent),
        )
        return decode(NewSession, (self._transport.send(request)).body)

    def introspect(self, *, token: str, permission: str | None = None, profile: bool = False) -> Introspection:
        """Return whether a session is active, and whether it has a permission. Each call counts as a use.

        With `profile`, the result has the sub-user's name and e-mail, which takes longer.
        """
        if not could_be_token(token):
            return Introspection(active=False, allowed=None if permission is None else False)
        request = Request(
            method="POST",
            path="/v1/sessions/introspect",
            body=encode(not_none(token=token, permission=permission, profile=profile or None)),
            time_limit=self._transport.settings.introspection_time_limit,
        )
        introspection = decode(Introspection, (self._transport.send(request)).body)
        if permission is not None and introspection.active and introspection.allowed is None:
            raise UnexpectedResponse("the response does not tell whether the permission is allowed")
        return introspection

    def change_password(self, *, token: str, current_password: str, new_password: str) -> NewSession:
        """Replace the sub-user's password, and return a new session: all earlier ones end.

        Raises `InvalidRequest` with `errors["current_password"]` if that is wrong.
        """
        request = Request(
            method="PUT",
            path=f"{CURRENT}/password",
            body=encode({"current_password": current_password, "new_password": new_password}),
            headers=token_header(token),
            repeatable=Repeatable.UNLESS_EXECUTED,  # a repetition would find the session ended
        )
        return decode(NewSession, (self._transport.send(request)).body)

    def log_out(self, *, token: str) -> None:
        """End a session. Raises `SessionEnded` if it has ended already."""
        self._transport.send(
            Request(method="DELETE", path=CURRENT, headers=token_header(token), done_if_repeated=ENDED)
        )
