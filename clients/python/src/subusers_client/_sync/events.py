# Generated from ../_async/events.py by tools/generate_sync.py. Do not edit.
"""Reads the event feed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from subusers_client._sync.accounts import path_of as path_of_account
from subusers_client.decoding import decode_json, decode_value
from subusers_client.errors import UnexpectedResponse
from subusers_client.models import Event, EventPage
from subusers_client.requests import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from subusers_client._sync.transport import Transport


class Events:
    """The event feed: of one account with a `portal` key, of all accounts with an `analytics` or `auditor` key.

    To resume, store `position` and `epoch` of the last event that you have processed, or `next_after` and `epoch` of
    the last page. Raises `StoreWentBack` if that position is not valid any more.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(
        self,
        *,
        account_id: UUID | str | None = None,
        after: int = 0,
        epoch: UUID | str | None = None,
        event_types: Sequence[str] | None = None,
        limit: int = 1000,
        wait: float | None = None,
    ) -> EventPage:
        """Return one page of events. `wait` is how long to wait for an event, without `account_id` only."""
        if account_id is not None and wait is not None:
            raise ValueError("the feed of one account has no `wait`")
        request = Request(
            method="GET",
            path="/v1/events" if account_id is None else f"{path_of_account(account_id)}/events",
            query={
                "after": after,
                "epoch": epoch,
                "event_types": None if event_types is None else ",".join(event_types),
                "limit": limit,
                "wait": None if wait is None else f"{wait:g}",
            },
            time_limit=None if wait is None else 2 * (wait + self._transport.settings.time_limit),
        )
        response = self._transport.send(request)
        body: Any = decode_json(response.body)
        try:
            items = tuple(decode_value(Event, item) for item in body["items"])
            next_after = int(body["next_after"])
            has_more = body["next_cursor"] is not None
            store_epoch = response.headers.get("store-epoch")
            page_epoch = None if store_epoch is None else UUID(store_epoch)
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedResponse(f"the response is not a page of events: {error}") from None
        return EventPage(items=items, next_after=next_after, has_more=has_more, epoch=page_epoch)

    def pages(
        self,
        *,
        account_id: UUID | str | None = None,
        after: int = 0,
        epoch: UUID | str | None = None,
        event_types: Sequence[str] | None = None,
        follow: bool = False,
        wait: float = 20.0,
    ) -> Iterator[EventPage]:
        """Iterate over pages of events after a position.

        Ends at the present end of the feed. With `follow`, waits for more, and yields an empty page about every `wait`
        seconds. The feed of one account is then read every two seconds.
        """
        waiting = wait if follow and account_id is None else None
        while True:
            page = self.page(account_id=account_id, after=after, epoch=epoch, event_types=event_types, wait=waiting)
            yield page
            after, epoch = page.next_after, page.epoch
            if page.has_more:
                continue
            if not follow:
                return
            if account_id is not None:
                time.sleep(2.0)

    def list(
        self,
        *,
        account_id: UUID | str | None = None,
        after: int = 0,
        epoch: UUID | str | None = None,
        event_types: Sequence[str] | None = None,
        follow: bool = False,
    ) -> Iterator[Event]:
        """Iterate over events after a position, to the present end of the feed, or with `follow` without end."""
        for page in self.pages(account_id=account_id, after=after, epoch=epoch, event_types=event_types, follow=follow):
            for event in page.items:
                yield event
