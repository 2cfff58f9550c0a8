"""What the application needs of the outside, each as narrow as its use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date
    from uuid import UUID

    from application.attempts import AttemptKeys
    from application.records import PersonAdded
    from domain.cause import Sealed
    from domain.plan import Period, Usage

Clock = Callable[[], datetime]
"""Tells the time, in UTC."""


class PersonKey(Protocol):
    """One person's data key, in use."""

    def seal(self, field: str, text: str) -> Sealed:
        """Encrypt a field of theirs."""

    def open(self, field: str, sealed: Sealed) -> str:
        """Decrypt a field of theirs. Raises ValueError where it is not theirs, not that field, or was altered."""


@dataclass(frozen=True)
class VaultEntry:
    """What the vault holds of a person."""

    person_id: UUID
    account_id: UUID
    key: PersonKey = field(repr=False)
    password_hash: str | None = field(repr=False)
    must_change: bool
    password_expires_at: datetime | None
    credentials: int
    sealed_password: Sealed | None = field(repr=False)


class Vault(Protocol):
    """Keeps each person's data key and password."""

    def new_person(self, person_id: UUID, account_id: UUID) -> tuple[PersonKey, PersonAdded]:
        """Make a data key; it is kept once the record is saved."""

    def entries(self, person_ids: Sequence[UUID]) -> Mapping[UUID, VaultEntry]:
        """Return the entries of those who have one."""

    def people_of(self, account_id: UUID) -> set[UUID]:
        """Return everybody in an account who has an entry: its owner, and sub-users who were not erased."""


class Fingerprints(Protocol):
    """Keyed hashes: the same for the same text, and telling nothing without the key."""

    def email(self, address: str) -> str:
        """Return the hash by which an e-mail address is found, whatever its case."""

    def sub_user_email(self, account_id: UUID, address: str) -> str:
        """Return the hash by which a sub-user is found in one account: in another one it is another."""

    def of(self, purpose: str, *parts: str) -> bytes:
        """Return the hash of some text, used for one purpose."""


class Passwords(Protocol):
    """Checks, hashes and makes passwords. Hashing is bounded in parallel: it raises `TooBusy` when too many wait."""

    def require_good(self, field: str, password: str, about: Sequence[str]) -> None:
        """Raise `InvalidValue` for a password that is too short, too long, common, or tells of its owner."""

    def hash(self, password: str) -> str:
        """Return the hash to keep."""

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Say whether it is the one. With no hash the answer is no, after the same time."""

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether the hash was made with other parameters than today's."""

    def generate(self) -> str:
        """Return a temporary password that nobody can guess, and that can be typed from a mail."""


@dataclass(frozen=True)
class Session:
    """A session that is good at the moment."""

    session_id: UUID
    account_id: UUID
    person_id: UUID
    restricted: bool
    opened_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: Sealed | None
    user_agent: Sealed | None

    @property
    def of_owner(self) -> bool:
        """Whether it is the account's owner's, not a sub-user's."""
        return self.person_id == self.account_id


class Sessions(Protocol):
    """Reads sessions; they are written as records."""

    def find(self, token_hash: bytes, now: datetime) -> Session | None:
        """Return the session of that token if it is good now, and note that it was used."""

    def of_person(self, person_id: UUID, now: datetime) -> Sequence[Session]:
        """Return a person's good sessions, newest first."""


class AccountDirectory(Protocol):
    """Finds accounts by e-mail."""

    def find(self, email_hash: str) -> UUID | None:
        """Return the account with that e-mail."""


class ConsoleLinks(Protocol):
    """Keeps the links by which owners log in; that one has been used is written as a record."""

    def add(self, link_hash: bytes, account_id: UUID, expires_at: datetime) -> None:
        """Have a link be good until then."""

    def find(self, link_hash: bytes, now: datetime) -> UUID | None:
        """Return the account that a link opens, if it is good now."""


class Throttle(Protocol):
    """Counts failed attempts, across every process."""

    def seconds_to_wait(self, keys: Sequence[bytes], now: datetime) -> float:
        """Return for how long none of these may try, 0 if they may."""

    def failures(self, key: bytes) -> int:
        """Return how many failures in a row there were under this key."""

    def failed(self, keys: AttemptKeys, now: datetime) -> int:
        """Count a failure under each key, and return how many there were in a row from anywhere."""


class Answers(Protocol):
    """Reads the answers kept for idempotency keys; they are written as records."""

    def find(self, api_key_id: UUID, idempotency_key: str) -> KeptAnswer | None:
        """Return the answer kept under that key."""


@dataclass(frozen=True)
class KeptAnswer:
    """An answer that was given, and the request it was given to."""

    fingerprint: bytes
    status: int
    headers: str
    sealed_body: Sealed
    person_id: UUID
    position: int


@dataclass(frozen=True)
class MailJob:
    """A queued mail, claimed for one attempt. `caused_by` is the account's version that asked for it."""

    account_id: UUID
    caused_by: int
    sub_user_id: UUID
    notice: str
    credentials: int | None
    asked_at: datetime
    attempts: int
    first_attempt_at: datetime


@dataclass(frozen=True)
class LegalHold:
    """A deleted sub-user whose data is kept until then."""

    person_id: UUID
    account_id: UUID
    due_at: datetime


class LegalHolds(Protocol):
    """Knows who is deleted and not erased yet; holds begin and end as records."""

    def claim(self, now: datetime) -> LegalHold | None:
        """Return a hold that is over, and keep others off it for a while."""


class MailQueue(Protocol):
    """Hands out queued mails, each to one worker at a time; they are settled as records."""

    def claim(self, now: datetime) -> MailJob | None:
        """Return a mail that is due, and keep others off it for a while."""

    def postpone(self, job: MailJob, until: datetime, reply: str) -> None:
        """Have it tried again later."""


class UsageCounts(Protocol):
    """Knows what was used, and of which accounts that, or the plan, has changed."""

    def due(self, today: date) -> AbstractContextManager[UUID | None]:
        """Lend an account that has changed up to this day, and keep others off it; it stays due if the block fails."""

    def used(self, account_id: UUID, period: Period) -> Usage:
        """Return what all sub-users of an account used in a period."""
