"""Requests about API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from subusers_client.decoding import decode
from subusers_client.models import ApiKey
from subusers_client.requests import Request

if TYPE_CHECKING:
    from subusers_client._async.transport import AsyncTransport


class AsyncApiKeys:
    """API keys."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def current(self) -> ApiKey:
        """Return the API key of this client, to test that it works and what it may do. Raises `InvalidApiKey`."""
        return decode(ApiKey, (await self._transport.send(Request(method="GET", path="/v1/api-keys/current"))).body)
