"""Requests about activities, usage and the audit log."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from subusers_client._async.accounts import path_of as path_of_account
from subusers_client._async.pagination import page, pages
from subusers_client.decoding import decode, encode
from subusers_client.models import Activity, ActivityTypes, AuditEntry, Page, Usage, UsageReport
from subusers_client.requests import Request, idempotency_header, not_none, position_header, revision_header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from subusers_client._async.transport import AsyncTransport
    from subusers_client.models import ActivityGroup, ActivityType

ACTIVITY_TYPES = "/v1/activity-types"


class AsyncActivities:
    """Actions of sub-users on the portal."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def report(
        self, *, account_id: UUID | str, activities: Sequence[Activity], idempotency_key: str | None = None
    ) -> None:
        """Report up to 1,000 activities for the audit log, all or none."""
        await _report(self._transport, account_id, "activities", activities, idempotency_key)


class AsyncActivityTypeRegistry:
    """Names of the portal's activities for people, which are those of all accounts."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def get(self) -> ActivityTypes:
        """Return all activity types."""
        response = await self._transport.send(Request(method="GET", path=ACTIVITY_TYPES))
        return decode(ActivityTypes, response.body)

    async def replace(
        self,
        *,
        activity_types: Iterable[ActivityType],
        groups: Iterable[ActivityGroup] = (),
        if_revision: int | None = None,
    ) -> ActivityTypes:
        """Replace all activity types. With `if_revision`, raises `RevisionMismatch` if they have changed since."""
        body = {
            "groups": [asdict(group) for group in groups],
            "activity_types": [not_none(**asdict(activity_type)) for activity_type in activity_types],
        }
        request = Request(
            method="PUT",
            path=ACTIVITY_TYPES,
            body=encode(body),
            headers=revision_header(None if if_revision is None else f'"{if_revision}"'),
        )
        return decode(ActivityTypes, (await self._transport.send(request)).body)


class AsyncUsageReports:
    """Usage of an account's plan."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def report(
        self, *, account_id: UUID | str, usage: Sequence[Usage], idempotency_key: str | None = None
    ) -> None:
        """Report usage of up to 1,000 sub-users and times, all or none."""
        await _report(self._transport, account_id, "usage", usage, idempotency_key)

    async def get(
        self,
        *,
        account_id: UUID | str,
        since: date | None = None,
        until: date | None = None,
        visibility: str | None = None,
        at_least: int | None = None,
    ) -> UsageReport:
        """Return the usage from the day `since` to the day before `until` (UTC)."""
        request = Request(
            method="GET",
            path=f"{path_of_account(account_id)}/usage",
            query={"since": since, "until": until, "visibility": visibility},
            headers=position_header(at_least),
        )
        return decode(UsageReport, (await self._transport.send(request)).body)


class AsyncAuditLog:
    """The audit log of an account, newest entries first."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        account_id: UUID | str,
        sub_user_id: UUID | str | None = None,
        action: str | Sequence[str] | None = None,
        actor_type: str | None = None,
        actor_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        at_least: int | None = None,
    ) -> AsyncIterator[AuditEntry]:
        """Iterate over all entries that match the filters, of any of several actions.

        Further pages are requested as needed.
        """
        query = {
            "limit": 200,
            "sub_user_id": sub_user_id,
            "action": action,
            "actor_type": actor_type,
            "actor_id": actor_id,
            "since": since,
            "until": until,
        }
        return pages(self._transport, AuditEntry, self._request(account_id, query, at_least))

    async def page(
        self,
        *,
        account_id: UUID | str,
        limit: int | None = None,
        cursor: str | None = None,
        sub_user_id: UUID | str | None = None,
        action: str | Sequence[str] | None = None,
        actor_type: str | None = None,
        actor_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        at_least: int | None = None,
    ) -> Page[AuditEntry]:
        """Return one page of entries. `cursor` is the `next_cursor` of the page before."""
        query = {
            "limit": limit,
            "cursor": cursor,
            "sub_user_id": sub_user_id,
            "action": action,
            "actor_type": actor_type,
            "actor_id": actor_id,
            "since": since,
            "until": until,
        }
        return await page(self._transport, AuditEntry, self._request(account_id, query, at_least))

    def _request(self, account_id: UUID | str, query: dict[str, Any], at_least: int | None) -> Request:
        return Request(
            method="GET",
            path=f"{path_of_account(account_id)}/audit-log",
            query=query,
            headers=position_header(at_least),
        )


async def _report(
    transport: AsyncTransport,
    account_id: UUID | str,
    kind: str,
    reports: Sequence[Activity] | Sequence[Usage],
    idempotency_key: str | None,
) -> None:
    request = Request(
        method="POST",
        path=f"{path_of_account(account_id)}/{kind}",
        body=encode({kind: [not_none(**asdict(report)) for report in reports]}),
        headers=idempotency_header(idempotency_key),
    )
    await transport.send(request)
