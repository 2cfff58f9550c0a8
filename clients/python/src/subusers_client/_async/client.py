"""The client of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from subusers_client._async.access import AsyncAccess, AsyncAuthzen
from subusers_client._async.accounts import AsyncAccounts
from subusers_client._async.api_keys import AsyncApiKeys
from subusers_client._async.events import AsyncEvents
from subusers_client._async.passwords import AsyncPasswords
from subusers_client._async.reports import AsyncActivities, AsyncActivityTypeRegistry, AsyncAuditLog, AsyncUsageReports
from subusers_client._async.roles import AsyncGrants, AsyncPermissions, AsyncRoles
from subusers_client._async.second_factors import AsyncSecondFactors
from subusers_client._async.sessions import AsyncSessions
from subusers_client._async.sub_users import AsyncSubUsers
from subusers_client._async.transport import AsyncTransport
from subusers_client._async.webhooks import AsyncWebhooks
from subusers_client.requests import Settings, checked_base_url, client_headers
from subusers_client.retries import RetryPolicy

if TYPE_CHECKING:
    from typing import Self

LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30)
"""The service closes idle connections after 75 seconds."""


class AsyncClient:
    """Client of the subusers service. Create one per process and keep it: it reuses connections.

    `time_limit` is the number of seconds for a request with all its retries; that of `sessions.introspect` is
    `introspection_time_limit`. Pass an `http_client` for proxies or own certificates. You close it yourself.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        time_limit: float = 20.0,
        introspection_time_limit: float = 5.0,
        retries: RetryPolicy | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        settings = Settings(
            base_url=checked_base_url(base_url),
            api_key=api_key,
            time_limit=time_limit,
            introspection_time_limit=introspection_time_limit,
            retries=retries or RetryPolicy(),
        )
        http = httpx.AsyncClient(limits=LIMITS) if http_client is None else http_client
        self._own_http = http if http_client is None else None
        self._use(AsyncTransport(http, settings))

    def _use(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self.accounts = AsyncAccounts(transport)
        self.api_keys = AsyncApiKeys(transport)
        self.sub_users = AsyncSubUsers(transport)
        self.sessions = AsyncSessions(transport)
        self.passwords = AsyncPasswords(transport)
        self.second_factors = AsyncSecondFactors(transport)
        self.permissions = AsyncPermissions(transport)
        self.roles = AsyncRoles(transport)
        self.grants = AsyncGrants(transport)
        self.access = AsyncAccess(transport)
        self.authzen = AsyncAuthzen(transport)
        self.activities = AsyncActivities(transport)
        self.activity_types = AsyncActivityTypeRegistry(transport)
        self.usage = AsyncUsageReports(transport)
        self.audit_log = AsyncAuditLog(transport)
        self.webhooks = AsyncWebhooks(transport)
        self.events = AsyncEvents(transport)

    def for_request(
        self,
        *,
        client_ip: str | None = None,
        client_user_agent: str | None = None,
        request_id: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
    ) -> AsyncClient:
        """Return a client that sends these values for the history. Shares connections.

        `actor` is the person at the portal who acts, and `reason` is why. Raises ValueError for invalid values.
        """
        client = object.__new__(AsyncClient)
        client._own_http = None
        client._use(
            self._transport.with_headers(client_headers(client_ip, client_user_agent, request_id, actor, reason))
        )
        return client

    @property
    def event_position(self) -> int | None:
        """The highest event position of the commands of this client, for `at_least` of another client's reads.

        This client does not send it by itself: the service's reads include every change answered before.
        """
        return self._transport.settings.positions.highest

    async def aclose(self) -> None:
        """Close the connections."""
        if self._own_http is not None:
            await self._own_http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncClient(base_url={self._transport.settings.base_url!r})"
