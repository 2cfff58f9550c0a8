"""E-mail and names that a sub-user has had, from the events that set them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain import events

if TYPE_CHECKING:
    from collections.abc import Iterable

    from application.ports.vault import PersonKey
    from domain.event_metadata import Ciphertext


@dataclass(frozen=True)
class Contact:
    """E-mail and names of a sub-user, encrypted.

    `version` is the version of the account that set one of them, `email_version` the one that set the e-mail.
    """

    version: int
    email_version: int
    email: Ciphertext
    name: Ciphertext
    surname: Ciphertext


def contacts_from(contact_events: Iterable[object]) -> list[Contact]:
    """Return what a sub-user's e-mail and names were after each of these events, oldest first."""
    contacts: list[Contact] = []
    for event in contact_events:
        match event:
            case events.SubUserCreated():
                version = event.originator_version
                contacts.append(Contact(version, version, event.email, event.name, event.surname))
            case events.SubUserEmailChanged():
                version = event.originator_version
                contacts.append(replace(contacts[-1], version=version, email_version=version, email=event.email))
            case events.SubUserDetailsChanged():
                former = contacts[-1]
                name, surname = event.name or former.name, event.surname or former.surname
                contacts.append(replace(former, version=event.originator_version, name=name, surname=surname))
    return contacts


def decrypted_emails(contacts: Iterable[Contact], key: PersonKey) -> set[str]:
    """Return every e-mail in these contacts of the person with this key."""
    return {key.decrypt("email", encrypted) for encrypted in {contact.email for contact in contacts}}


def contact_at(contacts: Iterable[Contact], version: int) -> Contact | None:
    """Return the last of these contacts that was set up to a version of the account."""
    return max((contact for contact in contacts if contact.version <= version), key=lambda c: c.version, default=None)
