"""E-mail of a main account's owner: the current one, the one that waits for confirmation, and former ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from domain.refusals import LinkInvalid, TooManyEmailChanges

if TYPE_CHECKING:
    from datetime import datetime

    from domain.event_metadata import Ciphertext

CONFIRMATION_LIFETIME = timedelta(hours=24)
"""Time in which a new e-mail has to be confirmed."""

FORMER_EMAIL_LIFETIME = timedelta(days=7)
"""Time for which a former e-mail still works for sign-in, and the change can be undone from there."""

MAX_FORMER_EMAILS = 5
"""Maximum number of former e-mails that still work. Each change mails all sub-users."""


@dataclass(frozen=True)
class PendingEmail:
    """E-mail that waits for confirmation. The event of this version requested it."""

    email: Ciphertext
    email_hash: str
    version: int
    expires_at: datetime


@dataclass(frozen=True)
class FormerEmail:
    """Former e-mail, which still works until `kept_until`. The event of this version kept it."""

    email: Ciphertext
    email_hash: str
    version: int
    kept_until: datetime

    def is_valid(self, at: datetime) -> bool:
        """Return whether the e-mail still works at a time."""
        return self.kept_until > at


@dataclass(frozen=True)
class OwnerEmail:
    """The e-mail of an account's owner, one that was requested and waits for confirmation, and former ones."""

    current: Ciphertext
    email_hash: str
    pending: PendingEmail | None = None
    former: tuple[FormerEmail, ...] = ()

    # Decisions

    def valid_former(self, at: datetime) -> list[FormerEmail]:
        """Return the former e-mails that still work at a time, oldest first."""
        return [former for former in self.former if former.is_valid(at)]

    def ensure_can_change(self, at: datetime) -> None:
        """Raise `TooManyEmailChanges` if as many former e-mails as possible still work."""
        if len(self.valid_former(at)) >= MAX_FORMER_EMAILS:
            raise TooManyEmailChanges

    def requested_by(self, version: int, at: datetime) -> PendingEmail:
        """Return the e-mail that the event of a version requested. Raises `LinkInvalid` unless it can be confirmed."""
        if self.pending is None or self.pending.version != version or self.pending.expires_at <= at:
            raise LinkInvalid
        return self.pending

    def kept_by(self, version: int, at: datetime) -> FormerEmail:
        """Return the former e-mail that the event of a version kept. Raises `LinkInvalid` unless it still works."""
        for former in self.valid_former(at):
            if former.version == version:
                return former
        raise LinkInvalid

    # Transitions

    def change_requested(self, pending: PendingEmail) -> Self:
        """Wait for the confirmation of an e-mail, which replaces the one that waited before."""
        return replace(self, pending=pending)

    def changed(self, email: Ciphertext, email_hash: str) -> Self:
        """Change the e-mail. It is no former e-mail any more, and none waits for confirmation."""
        former = tuple(former for former in self.former if former.email_hash != email_hash)
        return replace(self, current=email, email_hash=email_hash, pending=None, former=former)

    def former_kept(self, former: FormerEmail, at: datetime) -> Self:
        """Keep a former e-mail, and drop those that do not work any more."""
        return replace(self, former=(*self.valid_former(at), former))

    def change_undone(self, kept_by: int) -> Self:
        """Drop the former e-mails since the one that the event of this version kept."""
        return replace(self, former=tuple(former for former in self.former if former.version < kept_by))

    def account_closed(self) -> Self:
        """Drop all e-mails but the current one."""
        return replace(self, pending=None, former=())
