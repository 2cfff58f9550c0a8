"""API keys: scope, expiry, allowed networks and accounts, and revocation."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID, uuid4

from application.errors import InvalidValue, TooBusy, VersionConflict
from application.transactional_writes import (
    AddApiKey,
    RecordApiKeyUse,
    RequireNoActiveWebhook,
    RevokeApiKey,
    SetApiKeyLimits,
    TransactionalWrite,
)
from domain import events
from domain.event_metadata import ActorType, EventMetadata

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from ipaddress import IPv4Address, IPv6Address

    from application.command_context import CommandContext
    from application.commands.webhooks import WebhookDisabling
    from application.ports.clock import Clock
    from application.repository import MainAccounts

ATTEMPTS = 20
"""Maximum attempts of a command after conflicts with others on the same key or its webhooks."""

Network = IPv4Network | IPv6Network


class Scope(StrEnum):
    """Scope of an API key, which determines the permitted routes."""

    PORTAL = "portal"
    SUPPORT = "support"
    AUDITOR = "auditor"
    ANALYTICS = "analytics"


@dataclass(frozen=True)
class Limits:
    """Limits of an API key; None means unlimited."""

    expires_at: datetime | None = None
    allowed_addresses: tuple[Network, ...] | None = None
    accounts: frozenset[UUID] | None = None

    def as_fields(self) -> dict[str, Any]:
        """Return the limits as fields of an event."""
        networks, accounts = self.allowed_addresses, self.accounts
        return {
            "expires_at": self.expires_at,
            "allowed_addresses": " ".join(str(network) for network in networks) if networks is not None else None,
            "accounts": " ".join(sorted(str(account_id) for account_id in accounts)) if accounts is not None else None,
        }

    def as_columns(self) -> dict[str, Any]:
        """Return the limits as columns of the key's row."""
        networks, accounts = self.allowed_addresses, self.accounts
        return {
            "expires_at": self.expires_at,
            "allowed_addresses": [str(network) for network in networks] if networks is not None else None,
            "accounts": sorted(accounts) if accounts is not None else None,
        }


NO_LIMITS = Limits()


@dataclass(frozen=True)
class ApiKey:
    """An API key without its secret. `last_used_at` is updated at most once a minute."""

    api_key_id: UUID
    name: str
    scope: Scope
    created_at: datetime | None = None
    revoked_at: datetime | None = None
    limits: Limits = NO_LIMITS
    last_used_at: datetime | None = None
    version: int = 0

    def has_expired(self, now: datetime) -> bool:
        """Return whether the key has expired."""
        return self.limits.expires_at is not None and self.limits.expires_at <= now

    def is_active(self, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired."""
        return self.revoked_at is None and not self.has_expired(now)

    def allows_address(self, address: IPv4Address | IPv6Address) -> bool:
        """Return whether requests may come from an address."""
        networks = self.limits.allowed_addresses
        return networks is None or any(address in network for network in networks)

    def allows_account(self, account_id: UUID | None) -> bool:
        """Return whether the key may be used for an account; None means all accounts."""
        return self.limits.accounts is None or account_id in self.limits.accounts


@dataclass(frozen=True)
class Revocation:
    """Result of a revocation.

    `active_webhooks_without_key` are not affected. Early releases created them, and keys of this scope may adopt them.
    """

    webhooks_disabled: int
    webhooks_handed_over: int
    active_webhooks_without_key: int


@dataclass(frozen=True)
class NewSecret:
    """The secret of a new key, and its stored form."""

    text: str = field(repr=False)
    key_hash: bytes = field(repr=False)


class ApiKeyStore(Protocol):
    """Stored API keys. Commands change them through transactional writes (`application.transactional_writes`)."""

    def find(self, secret: str) -> ApiKey | None:
        """Return the key with this secret, unless it has been revoked."""

    def get(self, api_key_id: UUID) -> ApiKey | None:
        """Return a key, revoked or not."""

    def is_active(self, api_key_id: UUID, now: datetime) -> bool:
        """Return whether a key is neither revoked nor expired."""

    def list(self) -> Sequence[ApiKey]:
        """Return all keys, also revoked ones, oldest first."""

    def record_use(self, api_key_id: UUID, now: datetime) -> None:
        """Record when a key was last used, at most once a minute."""


class ApiKeys:
    """Commands and queries on API keys."""

    def __init__(
        self,
        accounts: MainAccounts,
        store: ApiKeyStore,
        webhooks: WebhookDisabling,
        new_secret: Callable[[Scope], NewSecret],
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._webhooks = webhooks
        self._new_secret = new_secret
        self._clock = clock
        self.find = store.find
        self.get = store.get
        self.list = store.list

    def is_active(self, api_key_id: UUID) -> bool:
        """Return whether a key is neither revoked nor expired."""
        return self._store.is_active(api_key_id, self._clock())

    def create(self, scope: Scope, name: str, context: CommandContext, limits: Limits = NO_LIMITS) -> str:
        """Create a key, and return its secret, of which only the hash is stored. Raises `InvalidValue`."""
        self._validate_limits(scope, limits)
        api_key_id, secret, now = uuid4(), self._new_secret(scope), self._clock()
        created = events.ApiKeyCreated(
            **_common_fields(api_key_id, 1, now, context), scope=str(scope), **limits.as_fields()
        )
        row = AddApiKey(
            api_key_id=api_key_id,
            name=name,
            scope=str(scope),
            key_hash=secret.key_hash,
            created_at=now,
            version=1,
            **limits.as_columns(),
        )
        self._accounts.save(created, writes=[row])
        return secret.text

    def change_limits(self, api_key_id: UUID, limits: Limits, context: CommandContext) -> ApiKey | None:
        """Replace all limits of a key, and return it, or None if it is unknown or revoked. Raises `InvalidValue`."""

        def decide(key: ApiKey) -> tuple[list[events.ApiKeyEvent | events.WebhookEvent], list[TransactionalWrite]]:
            self._validate_limits(key.scope, limits)
            if limits == key.limits:
                return [], []
            common_fields = _common_fields(api_key_id, key.version + 1, self._clock(), context)
            changed = events.ApiKeyLimitsChanged(**common_fields, **limits.as_fields())
            return [changed], [SetApiKeyLimits(api_key_id, key.version + 1, **limits.as_columns())]

        return self._store.get(api_key_id) if self._change(api_key_id, decide) else None

    def revoke(
        self, api_key_id: UUID, context: CommandContext, *, hand_webhooks_to: UUID | None = None
    ) -> Revocation | None:
        """Revoke a key, and disable its webhooks or hand them over to another key, in one transaction.

        Return None if the key is unknown or revoked. Raises `InvalidValue` if the other key cannot own the webhooks.
        """
        revocation = Revocation(0, 0, 0)

        def decide(key: ApiKey) -> tuple[list[events.ApiKeyEvent | events.WebhookEvent], list[TransactionalWrite]]:
            nonlocal revocation
            new_owner = self._new_owner(key, hand_webhooks_to) if hand_webhooks_to is not None else None
            webhook_events, webhook_writes, disabled, handed_over = self._webhooks.writes_for_revoked_key(
                api_key_id, new_owner, context
            )
            revocation = Revocation(disabled, handed_over, self._webhooks.count_active_without_key(key.scope))
            version, now = key.version + 1, self._clock()
            revoked = events.ApiKeyRevoked(
                **_common_fields(api_key_id, version, now, context),
                webhooks_disabled=disabled,
                webhooks_handed_over=handed_over,
            )
            writes = [RevokeApiKey(api_key_id, version, now), *webhook_writes, RequireNoActiveWebhook(api_key_id)]
            return [*webhook_events, revoked], writes

        return revocation if self._change(api_key_id, decide) else None

    def record_use(self, key: ApiKey, now: datetime) -> None:
        """Record that a key was used, the first time with an event. Keys from before such events have version 0."""
        if key.last_used_at is not None or key.version == 0:
            self._store.record_use(key.api_key_id, now)
            return
        current = self._store.get(key.api_key_id)
        if current is None or current.last_used_at is not None or current.revoked_at is not None:
            return
        common_fields = _common_fields(key.api_key_id, current.version + 1, now, None)
        try:
            self._accounts.save(
                events.ApiKeyFirstUsed(**common_fields),
                writes=[RecordApiKeyUse(key.api_key_id, current.version + 1, now)],
            )
        except VersionConflict:
            return  # another process recorded the use, or the key changed: then the next use is recorded

    def _change(
        self,
        api_key_id: UUID,
        decide: Callable[[ApiKey], tuple[list[events.ApiKeyEvent | events.WebhookEvent], list[TransactionalWrite]]],
    ) -> bool:
        """Decide and save, again after conflicts. Return False if the key is unknown or revoked."""
        for _ in range(ATTEMPTS):
            key = self._store.get(api_key_id)
            if key is None or key.revoked_at is not None:
                return False
            new_events, writes = decide(key)
            try:
                self._accounts.save(*new_events, writes=writes)
            except VersionConflict:
                continue
            return True
        raise TooBusy

    def _new_owner(self, key: ApiKey, api_key_id: UUID) -> ApiKey:
        new_owner = self._store.get(api_key_id)
        if new_owner is None or new_owner.api_key_id == key.api_key_id or not new_owner.is_active(self._clock()):
            raise InvalidValue("hand_webhooks_to", "must be another active API key")
        if new_owner.scope is not key.scope:
            raise InvalidValue("hand_webhooks_to", "must be an API key of the same scope")
        return new_owner

    def _validate_limits(self, scope: Scope, limits: Limits) -> None:
        if limits.expires_at is not None and limits.expires_at <= self._clock():
            raise InvalidValue("expires", "must be in the future")
        if limits.accounts is not None and scope is Scope.ANALYTICS:
            raise InvalidValue("account", "an analytics key is for all accounts")


def _common_fields(api_key_id: UUID, version: int, at: datetime, context: CommandContext | None) -> dict[str, Any]:
    """Return the fields common to all events of a key. Without a context the key itself is the actor."""
    metadata = (
        EventMetadata(context.actor_type, context.actor_id, context.request_id)
        if context is not None
        else EventMetadata(ActorType.SYSTEM, str(api_key_id), None)
    )
    return {
        "originator_id": api_key_id,
        "originator_version": version,
        "timestamp": at,
        "api_key_id": api_key_id,
        "actor_type": metadata.actor_type,
        "actor_id": metadata.actor_id,
        "request_id": metadata.request_id,
        "ip": None,
        "user_agent": None,
    }
