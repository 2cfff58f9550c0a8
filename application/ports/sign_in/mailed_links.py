"""Port: links that are mailed to people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.event_metadata import Ciphertext
    from domain.mails import LinkPurpose


@dataclass(frozen=True)
class MailedLink:
    """A valid link. The event of version `caused_by` requested its mail.

    `encrypted_secret` is encrypted with the person's key, and None after the mail was sent.
    """

    link_hash: bytes = field(repr=False)
    purpose: LinkPurpose
    account_id: UUID
    person_id: UUID
    caused_by: int
    expires_at: datetime
    encrypted_secret: Ciphertext | None = field(repr=False)

    @property
    def sub_user_id(self) -> UUID | None:
        """Id of the sub-user to whom the link was mailed, None for the account's owner."""
        return self.person_id if self.person_id != self.account_id else None


class MailedLinks(Protocol):
    """Links that are mailed to people. A person has at most one for each purpose, which `StoreLink` replaces.

    Of those that undo changes of the e-mail, an owner can have several.
    """

    def find(self, link_hash: bytes, now: datetime) -> MailedLink | None:
        """Return a link by the hash of its secret, if it is valid."""

    def find_by_event(self, account_id: UUID, caused_by: int, now: datetime) -> MailedLink | None:
        """Return the link that an event of an account requested, by the event's version, if it is valid."""
