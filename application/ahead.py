"""What a command begins with, read before it is run, in one question to the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import StoredEvent

    from application.api_keys import ApiKey
    from application.attempts import AttemptKeys
    from application.ports import VaultEntry


@dataclass(frozen=True)
class Ahead:
    """What the vault holds of the people concerned, and what an account has recorded after a version.

    It is as of a moment after the command had been asked for: were it out of date by the time it is decided on, the
    store would refuse what was decided.
    """

    entries: Mapping[UUID, VaultEntry] = field(repr=False)
    newer: Sequence[StoredEvent] = field(repr=False)


@dataclass(frozen=True)
class Guess:
    """Whom an attempt to log in is probably about, and up to which version this process knows the account."""

    account_id: UUID
    sub_user_id: UUID
    version: int


@dataclass(frozen=True)
class AttemptAhead:
    """For how many seconds an attempt to log in has to wait, whether any failed before it, and in which account.

    `of_guess` is what the vault holds of whom it was guessed to be about, and what their account has recorded since.
    """

    seconds_to_wait: float
    others_failed: bool
    account_id: UUID | None
    of_guess: Ahead
    api_key: ApiKey | None = None


class AheadOfLogin(Protocol):
    """Reads what a login begins with."""

    def of_attempt(
        self, account_email_hash: str, keys: AttemptKeys, now: datetime, guess: Guess | None, api_key: str = ""
    ) -> AttemptAhead:
        """Return what is known before a password is looked at, and the API key, if one is asked for and is good."""
