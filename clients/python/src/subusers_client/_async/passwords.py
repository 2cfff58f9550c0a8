"""Requests of people who cannot log in, but receive mails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from subusers_client.decoding import encode
from subusers_client.requests import Request, client_headers, not_none
from subusers_client.retries import Repeatable

if TYPE_CHECKING:
    from subusers_client._async.transport import AsyncTransport

PASSWORD_RESETS, INVITATIONS = "/v1/password-resets", "/v1/invitations"


class AsyncPasswords:
    """Forgotten passwords and invitations."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def request_password_reset(
        self,
        *,
        account_email: str,
        email: str | None = None,
        client_ip: str | None,
        client_user_agent: str | None = None,
    ) -> None:
        """Mail a link to the sub-user with this `email`, or to the account's owner without one, if they exist.

        It is good once, for 30 minutes. The result is the same for everybody. Raises `TooManyRequests` after several
        requests for the same person or from the same `client_ip`, the address of the browser.
        """
        await self._transport.send(
            Request(
                method="POST",
                path=PASSWORD_RESETS,
                body=encode(not_none(account_email=account_email, email=email)),
                headers=client_headers(client_ip, client_user_agent),
                repeatable=Repeatable.UNLESS_EXECUTED,  # a repetition would mail another link
            )
        )

    async def complete_password_reset(self, *, token: str, new_password: str) -> None:
        """Replace a person's password with the link that was mailed to them. `token` is the last part of its URL.

        All their sessions end. Raises `LinkInvalid`, and `InvalidRequest` with `errors["new_password"]` if the password
        is not allowed. That does not use up the link.
        """
        await self._complete(PASSWORD_RESETS, token, new_password)

    async def complete_invitation(self, *, token: str, new_password: str) -> None:
        """Set an invited sub-user's password with the link that was mailed to them, as `complete_password_reset`."""
        await self._complete(INVITATIONS, token, new_password)

    async def _complete(self, path: str, token: str, new_password: str) -> None:
        await self._transport.send(
            Request(
                method="POST",
                path=f"{path}/complete",
                body=encode({"token": token, "new_password": new_password}),
                repeatable=Repeatable.UNLESS_EXECUTED,  # a repetition would find the link used
            )
        )
