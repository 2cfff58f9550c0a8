"""Links that are mailed to people: a secret that is good once, for one purpose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.sign_in.new_session import new_token, token_hash
from application.transactional_writes import StoreLink
from domain.refusals import LinkInvalid

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from application.ports.sign_in.mailed_links import MailedLink, MailedLinks
    from application.ports.vault import PersonKey, VaultEntry
    from domain.mails import LinkPurpose

SECRET_FIELD = "link"
"""Field name under which the person's key encrypts a secret until it is mailed."""


@dataclass(frozen=True)
class NewLink:
    """A new link, to be mailed to a person, with their key."""

    purpose: LinkPurpose
    account_id: UUID
    person_id: UUID
    key: PersonKey
    expires_at: datetime
    secret: str = field(default_factory=new_token, repr=False)

    @classmethod
    def lasting(cls, lifetime: timedelta, purpose: LinkPurpose, entry: VaultEntry, at: datetime) -> NewLink:
        """Return a link for the person with a vault entry that is valid from `at` for some time."""
        return cls(purpose, entry.account_id, entry.person_id, entry.key, at + lifetime)

    def as_write(self, caused_by: int) -> StoreLink:
        """Return the write that stores the link for the mail of an event, given its version."""
        return StoreLink(
            link_hash=token_hash(self.secret),
            purpose=self.purpose,
            account_id=self.account_id,
            person_id=self.person_id,
            caused_by=caused_by,
            expires_at=self.expires_at,
            encrypted_secret=self.key.encrypt(SECRET_FIELD, self.secret),
        )


def find_link(links: MailedLinks, secret: str, purpose: LinkPurpose, now: datetime) -> MailedLink:
    """Return the valid link with a secret. Raises `LinkInvalid`, also for a link with another purpose.

    A command that uses a link calls this while it decides: of two clients that use a link at the same time, the second
    has a version conflict, decides again, and does not find the link any more.
    """
    link = links.find(token_hash(secret), now)
    if link is None or link.purpose != purpose:
        raise LinkInvalid
    return link


def find_link_account(links: MailedLinks, secret: str, purpose: LinkPurpose, now: datetime) -> UUID | None:
    """Return the account of the person to whom a link was mailed, if the link is valid."""
    try:
        return find_link(links, secret, purpose, now).account_id
    except LinkInvalid:
        return None
