"""What is written in the transaction that records the events: all of it, or none.

Each class is one statement of the recorder, and its fields are the statement's parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class Record:
    """One thing that must be true together with the events."""


@dataclass(frozen=True)
class PersonAdded(Record):
    """A person gets a data key, wrapped by the master key of that id."""

    person_id: UUID
    account_id: UUID
    wrapped_key: bytes = field(repr=False)
    master_key_id: str


@dataclass(frozen=True)
class PersonForgotten(Record):
    """A person's data key is deleted, and everything else that is held of them in whatever table."""

    person_id: UUID


@dataclass(frozen=True)
class PersonHeld(Record):
    """A deleted sub-user's data key is kept until then, and nothing else that the vault and stored answers hold."""

    person_id: UUID
    account_id: UUID
    due_at: datetime


@dataclass(frozen=True)
class PasswordSet(Record):
    """A person's password is replaced. `sealed_password` is a temporary one's plaintext, until it has been mailed."""

    person_id: UUID
    password_hash: str = field(repr=False)
    must_change: bool
    expires_at: datetime | None
    credentials: int
    sealed_password: str | None = field(repr=False)

    @classmethod
    def chosen(cls, person_id: UUID, password_hash: str, credentials: int) -> Self:
        """Return the record of a password of one's own: for good, and never mailed."""
        return cls(
            person_id=person_id,
            password_hash=password_hash,
            must_change=False,
            expires_at=None,
            credentials=credentials,
            sealed_password=None,
        )


@dataclass(frozen=True)
class PasswordRehashed(Record):
    """The same password, hashed with the parameters of today."""

    person_id: UUID
    old_hash: str = field(repr=False)
    new_hash: str = field(repr=False)


@dataclass(frozen=True)
class TemporaryPasswordExpirySet(Record):
    """A temporary password's time starts when its owner is told of it."""

    person_id: UUID
    expires_at: datetime


@dataclass(frozen=True)
class PasswordMailed(Record):
    """The plaintext of these credentials is forgotten: the mail that carries it is on its way, or given up."""

    person_id: UUID
    credentials: int


@dataclass(frozen=True)
class SessionOpened(Record):
    """A token is good from now on; the store keeps only its SHA-256."""

    session_id: UUID
    token_hash: bytes = field(repr=False)
    account_id: UUID
    person_id: UUID
    restricted: bool
    opened_at: datetime
    expires_at: datetime
    access_expires_at: datetime | None
    ip: str | None
    user_agent: str | None


@dataclass(frozen=True)
class SessionClosed(Record):
    """One session of a person ends."""

    session_id: UUID
    person_id: UUID


@dataclass(frozen=True)
class SessionsClosed(Record):
    """Every session of a person ends."""

    person_id: UUID


@dataclass(frozen=True)
class AccountSessionsClosed(Record):
    """Every session in an account ends."""

    account_id: UUID


@dataclass(frozen=True)
class SessionsLimited(Record):
    """A person's sessions end with their access, at the latest; one that has ended by then stays so."""

    person_id: UUID
    access_expires_at: datetime | None
    at: datetime


@dataclass(frozen=True)
class LinkSpent(Record):
    """A console link has been used, and is good no more; the store knows only its SHA-256."""

    link_hash: bytes = field(repr=False)


@dataclass(frozen=True)
class AccountListed(Record):
    """The account can be found by its e-mail, and no other by the same."""

    email_hash: str
    account_id: UUID


@dataclass(frozen=True)
class AccountUnlisted(Record):
    """The account's e-mail leads nowhere any more."""

    account_id: UUID


@dataclass(frozen=True)
class AccountPasswordsDropped(Record):
    """No temporary password of an account's people is kept for a mail any more."""

    account_id: UUID


@dataclass(frozen=True)
class AttemptsForgiven(Record):
    """Failed attempts under these keys count no more."""

    keys: list[bytes]


@dataclass(frozen=True)
class AnswerKept(Record):
    """The answer to a request with an idempotency key, to be given again; its body is sealed for that person."""

    api_key_id: UUID
    idempotency_key: str
    fingerprint: bytes
    status: int
    headers: str
    sealed_body: str
    person_id: UUID
    answered_at: datetime


@dataclass(frozen=True)
class MailSettled(Record):
    """A queued mail needs no further attempt."""

    account_id: UUID
    caused_by: int
    state: str
    settled_at: datetime


@dataclass(frozen=True)
class WebhookAdded(Record):
    """A webhook is there; its URL and description are sealed by the master key of that id."""

    webhook_id: UUID
    account_id: UUID | None
    slot: int
    types: list[str] | None
    signature: str
    master_key_id: str
    sealed_details: bytes = field(repr=False)
    position: int
    created_at: datetime


@dataclass(frozen=True)
class WebhookSecretAdded(Record):
    """A webhook is signed with this from now on, and with those before it for another while."""

    webhook_id: UUID
    master_key_id: str
    sealed_secret: bytes = field(repr=False)
    created_at: datetime
    former_expire_at: datetime


@dataclass(frozen=True)
class WebhookTurnedOff(Record):
    """Nothing more is sent to a webhook, as its event of this version says."""

    webhook_id: UUID
    version: int
    why: str
    at: datetime


@dataclass(frozen=True)
class WebhookTurnedOn(Record):
    """A webhook is taken up again after a position, as its event of this version says."""

    webhook_id: UUID
    version: int
    position: int
    at: datetime


@dataclass(frozen=True)
class WebhookReplayed(Record):
    """A webhook goes on after another position."""

    webhook_id: UUID
    position: int
    at: datetime


@dataclass(frozen=True)
class WebhookRemoved(Record):
    """A webhook is gone, with its secrets and its log."""

    webhook_id: UUID


@dataclass(frozen=True)
class AccountWebhooksRemoved(Record):
    """The webhooks of an account are gone, with their secrets and their logs."""

    account_id: UUID
