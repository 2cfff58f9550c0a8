"""Reads lists page by page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from subusers_client.decoding import decode_json, decode_value
from subusers_client.errors import UnexpectedResponse
from subusers_client.models import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from subusers_client._async.transport import AsyncTransport
    from subusers_client.requests import Request

Item = TypeVar("Item")


async def page(transport: AsyncTransport, item: type[Item], request: Request) -> Page[Item]:
    """Return one page of a list."""
    body: Any = decode_json((await transport.send(request)).body)
    if not isinstance(body, dict) or not isinstance(body.get("items"), list):
        raise UnexpectedResponse("the response is not a list")
    items = tuple(decode_value(item, element) for element in body["items"])
    return Page(items=items, next_cursor=body.get("next_cursor"))


async def pages(transport: AsyncTransport, item: type[Item], request: Request) -> AsyncIterator[Item]:
    """Iterate over all items of a list."""
    while True:
        current = await page(transport, item, request)
        for element in current.items:
            yield element
        if current.next_cursor is None:
            return
        request = replace(request, query={**request.query, "cursor": current.next_cursor})
