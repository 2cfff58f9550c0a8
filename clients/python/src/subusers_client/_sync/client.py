# Generated from ../_async/client.py by tools/generate_sync.py. Do not edit.
"""The client of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from subusers_client._sync.access import Access, Authzen
from subusers_client._sync.accounts import Accounts
from subusers_client._sync.api_keys import ApiKeys
from subusers_client._sync.events import Events
from subusers_client._sync.passwords import Passwords
from subusers_client._sync.reports import Activities, ActivityTypeRegistry, AuditLog, UsageReports
from subusers_client._sync.roles import Grants, Permissions, Roles
from subusers_client._sync.second_factors import SecondFactors
from subusers_client._sync.sessions import Sessions
from subusers_client._sync.sub_users import SubUsers
from subusers_client._sync.transport import Transport
from subusers_client._sync.webhooks import Webhooks
from subusers_client.requests import Settings, checked_base_url, client_headers
from subusers_client.retries import RetryPolicy

if TYPE_CHECKING:
    from typing import Self

LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30)
"""The service closes idle connections after 75 seconds."""


class Client:
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
        http_client: httpx.Client | None = None,
    ) -> None:
        settings = Settings(
            base_url=checked_base_url(base_url),
            api_key=api_key,
            time_limit=time_limit,
            introspection_time_limit=introspection_time_limit,
            retries=retries or RetryPolicy(),
        )
        http = httpx.Client(limits=LIMITS) if http_client is None else http_client
        self._own_http = http if http_client is None else None
        self._use(Transport(http, settings))

    def _use(self, transport: Transport) -> None:
        self._transport = transport
        self.accounts = Accounts(transport)
        self.api_keys = ApiKeys(transport)
        self.sub_users = SubUsers(transport)
        self.sessions = Sessions(transport)
        self.passwords = Passwords(transport)
        self.second_factors = SecondFactors(transport)
        self.permissions = Permissions(transport)
        self.roles = Roles(transport)
        self.grants = Grants(transport)
        self.access = Access(transport)
        self.authzen = Authzen(transport)
        self.activities = Activities(transport)
        self.activity_types = ActivityTypeRegistry(transport)
        self.usage = UsageReports(transport)
        self.audit_log = AuditLog(transport)
        self.webhooks = Webhooks(transport)
        self.events = Events(transport)

    def for_request(
        self,
        *,
        client_ip: str | None = None,
        client_user_agent: str | None = None,
        request_id: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
    ) -> Client:
        """Return a client that sends these values for the history. Shares connections.

        `actor` is the person at the portal who acts, and `reason` is why. Raises ValueError for invalid values.
        """
        client = object.__new__(Client)
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

    def close(self) -> None:
        """Close the connections."""
        if self._own_http is not None:
            self._own_http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client(base_url={self._transport.settings.base_url!r})"
