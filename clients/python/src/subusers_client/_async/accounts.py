"""Requests about main accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from subusers_client._async.pagination import page, pages
from subusers_client.decoding import decode, encode, id_text
from subusers_client.models import Account, ConsoleLink, Page, Plan
from subusers_client.requests import UNSET, Request, Unset, given, idempotency_header, not_none, position_header
from subusers_client.retries import Repeatable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import date
    from uuid import UUID

    from subusers_client._async.transport import AsyncTransport


LINK_USED = frozenset({"link-invalid"})


class AsyncAccounts:
    """Main accounts."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def register(
        self,
        *,
        email: str,
        company_name: str,
        language: str | None = None,
        password: str | None = None,
        external_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Account:
        """Register a main account. `external_id` is your own id of it, unique among open accounts."""
        body = not_none(
            email=email, company_name=company_name, language=language, password=password, external_id=external_id
        )
        response = await self._transport.send(
            Request(method="POST", path="/v1/accounts", body=encode(body), headers=idempotency_header(idempotency_key))
        )
        return decode(Account, response.body)

    def list(
        self, *, email: str | None = None, external_id: str | None = None, at_least: int | None = None
    ) -> AsyncIterator[Account]:
        """Iterate over all accounts, oldest first, closed ones included, or over those with these values."""
        query = {"limit": 200, "email": email, "external_id": external_id}
        return pages(self._transport, Account, _list_request(query, at_least))

    async def page(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        email: str | None = None,
        external_id: str | None = None,
        at_least: int | None = None,
    ) -> Page[Account]:
        """Return one page of accounts. `cursor` is the `next_cursor` of the page before."""
        query = {"limit": limit, "cursor": cursor, "email": email, "external_id": external_id}
        return await page(self._transport, Account, _list_request(query, at_least))

    async def get(self, *, account_id: UUID | str, at_least: int | None = None) -> Account:
        """Return an account. `at_least` is an event position that the result must include."""
        request = Request(method="GET", path=path_of(account_id), headers=position_header(at_least))
        return decode(Account, (await self._transport.send(request)).body)

    async def change(
        self,
        *,
        account_id: UUID | str,
        email: str | None = None,
        email_verified: bool | None = None,
        company_name: str | None = None,
        language: str | None = None,
        password: str | None = None,
        external_id: str | Unset | None = UNSET,
        second_factor_policy: str | None = None,
    ) -> Account:
        """Change the given values of an account. Another password ends the owner's sessions in the console.

        Another `email` is mailed a link, and changes when that is used. With `email_verified` it changes at once: you
        have verified that the owner receives mail there. `external_id=None` removes the external id.
        `second_factor_policy` is `optional` or `required`.
        """
        body = not_none(
            email=email,
            email_verified=email_verified,
            company_name=company_name,
            language=language,
            password=password,
            second_factor_policy=second_factor_policy,
        )
        body |= given(external_id=external_id)
        is_safe = password is None and (email is None or email_verified is True)
        repeatable = Repeatable.ALWAYS if is_safe else Repeatable.UNLESS_EXECUTED  # each repetition mails a new link
        request = Request(method="PATCH", path=path_of(account_id), body=encode(body), repeatable=repeatable)
        return decode(Account, (await self._transport.send(request)).body)

    async def confirm_email(self, *, token: str) -> None:
        """Confirm a new e-mail with the token of the mailed link. Raises `LinkInvalid`."""
        await self._use_link("confirm", token)

    async def undo_email_change(self, *, token: str) -> None:
        """Restore a former e-mail with the token of the link that was mailed there. Raises `LinkInvalid`."""
        await self._use_link("undo", token)

    async def close(self, *, account_id: UUID | str) -> None:
        """Close an account: all its sessions end, and its e-mail is free."""
        await self._transport.send(Request(method="DELETE", path=path_of(account_id)))

    async def raise_sub_user_limit(self, *, account_id: UUID | str, sub_user_limit: int, reason: str) -> Account:
        """Raise the maximum number of sub-users. Needs an API key of scope `support`."""
        request = Request(
            method="PUT",
            path=f"{path_of(account_id)}/sub-user-limit",
            body=encode({"sub_user_limit": sub_user_limit, "reason": reason}),
            repeatable=Repeatable.UNLESS_EXECUTED,  # a repetition would be refused: limit-not-raised
        )
        return decode(Account, (await self._transport.send(request)).body)

    async def _use_link(self, what: str, token: str) -> None:
        request = Request(
            method="POST",
            path=f"/v1/email-changes/{what}",
            body=encode({"token": token}),
            done_if_repeated=LINK_USED,
        )
        await self._transport.send(request)

    async def set_plan(
        self, *, account_id: UUID | str, included_minutes: int, included_tokens: int, period_start: date
    ) -> Plan:
        """Set the monthly plan of an account. `period_start` is the first day of any period."""
        body = {
            "included_minutes": included_minutes,
            "included_tokens": included_tokens,
            "period_start": period_start,
        }
        request = Request(method="PUT", path=f"{path_of(account_id)}/plan", body=encode(body))
        return decode(Plan, (await self._transport.send(request)).body)

    async def create_console_link(self, *, account_id: UUID | str, assurance_level: str | None = None) -> ConsoleLink:
        """Create a link that logs the owner in to the console, once, within 60 seconds. Redirect to it at once.

        `assurance_level` is `second_factor` if the portal has verified one of the owner.
        """
        path = f"{path_of(account_id)}/console-links"
        request = Request(method="POST", path=path, query={"assurance_level": assurance_level})
        return decode(ConsoleLink, (await self._transport.send(request)).body)


def _list_request(query: Mapping[str, Any], at_least: int | None) -> Request:
    return Request(method="GET", path="/v1/accounts", query=query, headers=position_header(at_least))


def path_of(account_id: UUID | str) -> str:
    """Return the path of an account."""
    return f"/v1/accounts/{id_text(account_id)}"
