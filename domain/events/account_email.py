"""Events of a change of the main account's e-mail."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.event_metadata import Ciphertext
from domain.events import ocsf
from domain.events.base import Event
from domain.events.descriptor import EventDescriptor


class MainAccountEmailChangeRequested(Event):
    """Another e-mail was requested for the account. A link is mailed there, which confirms it until `expires_at`."""

    TOPIC: ClassVar[str] = "MainAccountEmailChangeRequested"
    DESCRIPTOR = EventDescriptor(
        "main_account.email_change_requested",
        "Another e-mail was requested for the account. It changes when the link that is mailed there is used.",
        facts=("expires_at",),
        ocsf=ocsf.OTHER_CHANGE,
    )
    email: Ciphertext
    email_hash: str
    expires_at: datetime


class MainAccountFormerEmailKept(Event):
    """The account's former e-mail still works until `kept_until`. A link to undo the change is mailed there."""

    TOPIC: ClassVar[str] = "MainAccountFormerEmailKept"
    DESCRIPTOR = EventDescriptor(
        "main_account.former_email_kept",
        "The account's e-mail changed. The former one still works for sign-in until `kept_until`, and a link is mailed "
        "there that undoes the change.",
        facts=("kept_until",),
        ocsf=ocsf.OTHER_CHANGE,
    )
    email: Ciphertext
    email_hash: str
    kept_until: datetime


class MainAccountEmailChangeUndone(Event):
    """The e-mail that the event of version `kept_by` kept was restored. Later ones do not work any more."""

    TOPIC: ClassVar[str] = "MainAccountEmailChangeUndone"
    DESCRIPTOR = EventDescriptor(
        "main_account.email_change_undone",
        "A former e-mail of the account was restored with the link that had been mailed there. The owner's sessions "
        "ended, and later e-mails do not work any more.",
        facts=("kept_by",),
        descriptions={"kept_by": "Version of the account's event that kept the e-mail."},
        ocsf=ocsf.OTHER_CHANGE,
    )
    kept_by: int


class SignInEmailAnnounced(Event):
    """A sub-user is mailed the account's e-mail, with which they log in from now on."""

    TOPIC: ClassVar[str] = "SignInEmailAnnounced"
    DESCRIPTOR = EventDescriptor(
        "sub_user.sign_in_email_announced",
        "The account's e-mail changed. A sub-user is mailed the one with which they log in from now on.",
        ocsf=ocsf.OTHER_CHANGE,
    )
    sub_user_id: UUID
