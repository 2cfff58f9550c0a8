"""Webhooks: receivers to whom events are sent, those of one account or of all, as the owner of either asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID, uuid4

from application.errors import InvalidValue, TooBusy, VersionConflict
from application.keys import owner_key
from application.main_accounts import Outcome
from application.origin import Origin
from application.records import (
    Record,
    WebhookAdded,
    WebhookRemoved,
    WebhookReplayed,
    WebhookSecretAdded,
    WebhookTurnedOff,
    WebhookTurnedOn,
)
from domain import events
from domain.cause import ActorType, Cause
from domain.refusals import AccountIsClosed, WebhookLimitReached, WebhookNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from application.main_accounts import MainAccounts
    from application.ports import Clock, Vault
    from application.webhook_receivers import Receivers

R = TypeVar("R")

MOST_OF_AN_ACCOUNT = 10
MOST_OF_ALL = 20
FORMER_SECRETS_LAST = timedelta(hours=24)
ATTEMPTS = 20
"""How often a command is decided anew when another one on the same webhook came first."""


class Signature(StrEnum):
    """How a webhook is signed: with a secret that both sides know, or with a key that only this one has."""

    HMAC = "hmac"
    ED25519 = "ed25519"


class Why(StrEnum):
    """Why nothing more is sent to a webhook."""

    GONE = "gone"
    FAILING = "failing"


@dataclass(frozen=True)
class Webhook:
    """A webhook. `position` is that of the last event that it has, or did not want."""

    webhook_id: UUID
    account_id: UUID | None
    url: str = field(repr=False)
    types: list[str] | None
    description: str | None = field(repr=False)
    signature: Signature
    created_at: datetime
    position: int
    failures: int
    due_at: datetime
    disabled_at: datetime | None
    disabled_why: Why | None
    version: int

    @property
    def status(self) -> str:
        """Whether events are sent to it."""
        return "active" if self.disabled_at is None else "disabled"

    @property
    def next_attempt_at(self) -> datetime | None:
        """When the event that failed is tried again, if one did."""
        return self.due_at if self.failures and self.disabled_at is None else None


@dataclass(frozen=True)
class NewWebhook:
    """What a webhook is to be. Without `after` it begins with what happens from now on."""

    url: str = field(repr=False)
    account_id: UUID | None = None
    types: list[str] | None = None
    description: str | None = field(default=None, repr=False)
    signature: Signature = Signature.HMAC
    after: int | None = None


@dataclass(frozen=True)
class NewKey:
    """What a webhook is signed with, and what its receiver needs in order to verify it."""

    secret: bytes = field(repr=False)
    shown: str = field(repr=False)


@dataclass(frozen=True)
class Delivery:
    """One attempt to deliver an event: what the receiver answered, or what went wrong before it could."""

    event_id: str
    type: str
    position: int
    attempt: int
    attempted_at: datetime
    status: int | None
    error: str | None
    milliseconds: int


class WebhookStore(Protocol):
    """Keeps webhooks; they are changed by records."""

    def find(self, webhook_id: UUID) -> Webhook | None:
        """Return a webhook."""

    def page(
        self, *, of_all: bool, account_id: UUID | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Webhook], str | None]:
        """Return a page of those of all accounts or of those of single ones, oldest first. Raises `InvalidValue`."""

    def deliveries(self, webhook_id: UUID, limit: int, cursor: str | None) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of a webhook's log, newest first. Raises `InvalidValue`."""

    def slots(self, account_id: UUID | None) -> Sequence[int]:
        """Return the places that are taken by an account's webhooks, or by those of all accounts."""

    def seal(self, webhook_id: UUID, what: str, data: bytes) -> tuple[str, bytes]:
        """Return data encrypted for a webhook, behind the id of the master key."""

    def seal_details(self, webhook_id: UUID, url: str, description: str | None) -> tuple[str, bytes]:
        """Return a URL and a description encrypted for a webhook, behind the id of the master key."""


class Signatures(Protocol):
    """Makes keys, and signs with them."""

    def new_key(self, signature: Signature) -> NewKey:
        """Make a key."""

    def sign(self, signature: Signature, secrets: Sequence[bytes], message_id: str, at: datetime, body: str) -> str:
        """Return the header that has a signature by each of these."""


class History(Protocol):
    """Where the history ends."""

    def settled_position(self) -> int:
        """Return the position of the last event before which nothing can appear any more."""

    def recorded_position(self) -> int:
        """Return the position of the last event there is."""


class Webhooks:
    """The commands. `of_all` is whoever sees webhooks of all accounts, and no others; everybody else sees the rest."""

    def __init__(
        self,
        accounts: MainAccounts,
        vault: Vault,
        store: WebhookStore,
        signatures: Signatures,
        receivers: Receivers,
        history: History,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._store = store
        self._signatures = signatures
        self._receivers = receivers
        self._history = history
        self._clock = clock

    def create(self, new: NewWebhook, origin: Origin) -> Outcome[tuple[Webhook, str]]:
        """Make a webhook, and return it with what its receiver verifies it with: nobody can show that again.

        Raises `InvalidValue`, `AccountNotFound`, `AccountIsClosed`, `WebhookLimitReached`.
        """
        self._receivers.target(new.url)
        self._require_open(new.account_id)
        cause = self._cause(new.account_id, origin)
        after = self._position(new.after)
        webhook_id, key = uuid4(), self._signatures.new_key(new.signature)

        def decide() -> tuple[events.WebhookEvent, list[Record]]:
            fact = self._fact(events.WebhookCreated, webhook_id, new.account_id, 1, cause)
            return fact, [self._added(new, webhook_id, after, fact.timestamp), self._secret(webhook_id, key)]

        position = self._record(decide)
        try:
            self._require_open(new.account_id)
        except AccountIsClosed:  # at the same moment: what closing it removes did not include this one
            self.delete(webhook_id, Origin(ActorType.SYSTEM, "webhooks"), of_all=False)
            raise
        return Outcome((self._found(webhook_id), key.shown), position)

    def show(self, webhook_id: UUID, *, of_all: bool) -> Webhook:
        """Return a webhook. Raises `WebhookNotFound`."""
        webhook = self._found(webhook_id)
        if (webhook.account_id is None) is not of_all:
            raise WebhookNotFound
        return webhook

    def page(
        self, *, of_all: bool, account_id: UUID | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Webhook], str | None]:
        """Return a page of webhooks, oldest first, and the cursor of the next. Raises `InvalidValue`."""
        return self._store.page(of_all=of_all, account_id=account_id, limit=limit, cursor=cursor)

    def deliveries(
        self, webhook_id: UUID, *, of_all: bool, limit: int, cursor: str | None
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of a webhook's log, newest first, and the cursor of the next. Raises `WebhookNotFound`."""
        self.show(webhook_id, of_all=of_all)
        return self._store.deliveries(webhook_id, limit, cursor)

    def delete(self, webhook_id: UUID, origin: Origin, *, of_all: bool) -> Outcome[None]:
        """Remove a webhook for good. Raises `WebhookNotFound`."""

        def decide() -> tuple[events.WebhookEvent, list[Record]]:
            webhook = self.show(webhook_id, of_all=of_all)
            return self._next_fact(events.WebhookDeleted, webhook, origin), [WebhookRemoved(webhook_id)]

        return Outcome(None, self._record(decide))

    def add_secret(self, webhook_id: UUID, *, of_all: bool) -> tuple[Webhook, str]:
        """Have a webhook signed with a new key, and beside it for 24 hours with those before.

        Raises `WebhookNotFound`.
        """
        webhook = self.show(webhook_id, of_all=of_all)
        key = self._signatures.new_key(webhook.signature)
        self._accounts.save(records=[self._secret(webhook_id, key)])
        return webhook, key.shown

    def enable(self, webhook_id: UUID, origin: Origin, *, of_all: bool) -> Outcome[Webhook]:
        """Take a disabled webhook up again where it stopped; one that failed is tried at once.

        Raises `WebhookNotFound`.
        """
        return self._resume(webhook_id, None, origin, of_all=of_all)

    def replay(self, webhook_id: UUID, after: int, origin: Origin, *, of_all: bool) -> Outcome[Webhook]:
        """Have a webhook go on after another position, earlier or later, also if it was disabled.

        Raises `WebhookNotFound`, `InvalidValue`.
        """
        return self._resume(webhook_id, self._position(after), origin, of_all=of_all)

    def disable(self, webhook_id: UUID, why: Why) -> None:
        """Send nothing more to a webhook until somebody enables it."""

        def decide() -> tuple[events.WebhookEvent | None, list[Record]]:
            webhook = self._store.find(webhook_id)
            if webhook is None or webhook.disabled_at is not None:
                return None, []
            origin = Origin(ActorType.SYSTEM, "webhooks")
            fact = self._next_fact(events.WebhookDisabled, webhook, origin, why=str(why), failures=webhook.failures)
            return fact, [WebhookTurnedOff(webhook_id, fact.originator_version, str(why), fact.timestamp)]

        self._record(decide)

    def _resume(self, webhook_id: UUID, after: int | None, origin: Origin, *, of_all: bool) -> Outcome[Webhook]:
        def decide() -> tuple[events.WebhookEvent | None, list[Record]]:
            webhook = self.show(webhook_id, of_all=of_all)
            position = webhook.position if after is None else after
            if webhook.disabled_at is None:
                return None, [WebhookReplayed(webhook_id, position, self._clock())]
            fact = self._next_fact(events.WebhookEnabled, webhook, origin)
            return fact, [WebhookTurnedOn(webhook_id, fact.originator_version, position, fact.timestamp)]

        position = self._record(decide)
        return Outcome(self._found(webhook_id), position)

    def _record(self, decide: Callable[[], tuple[events.WebhookEvent | None, list[Record]]]) -> int | None:
        """Save what is decided, anew if another command on the same webhook came first, and return its position."""
        for _ in range(ATTEMPTS):
            fact, records = decide()
            try:
                recordings = self._accounts.save(*([fact] if fact is not None else []), records=records)
            except VersionConflict:
                continue
            return recordings[-1].notification.id if recordings else None
        raise TooBusy

    def _found(self, webhook_id: UUID) -> Webhook:
        webhook = self._store.find(webhook_id)
        if webhook is None:
            raise WebhookNotFound
        return webhook

    def _require_open(self, account_id: UUID | None) -> None:
        if account_id is not None and self._accounts.load(account_id).closed_at is not None:
            raise AccountIsClosed

    def _position(self, after: int | None) -> int:
        if after is None:
            return self._history.settled_position()
        if after > self._history.recorded_position():
            raise InvalidValue("after", "must be a position from an earlier event")
        return after

    def _added(self, new: NewWebhook, webhook_id: UUID, after: int, at: datetime) -> WebhookAdded:
        most = MOST_OF_ALL if new.account_id is None else MOST_OF_AN_ACCOUNT
        free = sorted(set(range(1, most + 1)) - set(self._store.slots(new.account_id)))
        if not free:
            raise WebhookLimitReached
        master_key_id, sealed = self._store.seal_details(webhook_id, new.url, new.description)
        return WebhookAdded(
            webhook_id=webhook_id,
            account_id=new.account_id,
            slot=free[0],
            types=new.types,
            signature=str(new.signature),
            master_key_id=master_key_id,
            sealed_details=sealed,
            position=after,
            created_at=at,
        )

    def _secret(self, webhook_id: UUID, key: NewKey) -> WebhookSecretAdded:
        now = self._clock()
        master_key_id, sealed = self._store.seal(webhook_id, "secret", key.secret)
        return WebhookSecretAdded(webhook_id, master_key_id, sealed, now, now + FORMER_SECRETS_LAST)

    def _next_fact(
        self, kind: type[events.WebhookEvent], webhook: Webhook, origin: Origin, **facts: str | int
    ) -> events.WebhookEvent:
        cause = self._cause(webhook.account_id, origin)
        return self._fact(kind, webhook.webhook_id, webhook.account_id, webhook.version + 1, cause, **facts)

    def _fact(
        self,
        kind: type[events.WebhookEvent],
        webhook_id: UUID,
        account_id: UUID | None,
        version: int,
        cause: Cause,
        **facts: str | int,
    ) -> events.WebhookEvent:
        return kind(
            originator_id=webhook_id,
            originator_version=version,
            timestamp=self._clock(),
            webhook_id=webhook_id,
            account_id=account_id,
            actor_type=cause.actor_type,
            actor_id=cause.actor_id,
            request_id=cause.request_id,
            ip=cause.ip,
            user_agent=cause.user_agent,
            **facts,
        )

    def _cause(self, account_id: UUID | None, origin: Origin) -> Cause:
        """Return where a command comes from; without an account there is no key for what tells of a person."""
        if account_id is None or origin.actor_type is ActorType.SYSTEM:
            return Cause(origin.actor_type, origin.actor_id, origin.request_id)
        return origin.for_account(account_id).sealed_with(owner_key(self._vault, account_id))
