"""Writes of links that are mailed to people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.event_metadata import Ciphertext
    from domain.mails import LinkPurpose


@dataclass(frozen=True)
class StoreLink(TransactionalWrite):
    """Store a link, in place of the person's former one for the same purpose.

    `caused_by` is the version of the event whose mail has the link. `encrypted_secret` is encrypted with the person's
    key.
    """

    link_hash: bytes = field(repr=False)
    purpose: LinkPurpose
    account_id: UUID
    person_id: UUID
    caused_by: int
    expires_at: datetime
    encrypted_secret: Ciphertext = field(repr=False)


@dataclass(frozen=True)
class DeleteLinks(TransactionalWrite):
    """Delete a person's links for some purposes."""

    person_id: UUID
    purposes: list[LinkPurpose]


@dataclass(frozen=True)
class ForgetMailedSecret(TransactionalWrite):
    """Delete the encrypted secret of a link after its mail was sent or abandoned."""

    account_id: UUID
    caused_by: int
