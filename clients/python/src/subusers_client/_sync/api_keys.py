# Generated from ../_async/api_keys.py by tools/generate_sync.py. Do not edit.
"""Requests about API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from subusers_client.decoding import decode
from subusers_client.models import ApiKey
from subusers_client.requests import Request

if TYPE_CHECKING:
    from subusers_client._sync.transport import Transport


class ApiKeys:
    """API keys."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def current(self) -> ApiKey:
        """Return the API key of this client, to test that it works and what it may do. Raises `InvalidApiKey`."""
        return decode(ApiKey, (self._transport.send(Request(method="GET", path="/v1/api-keys/current"))).body)
