"""Events of mailed links, of new devices, and of the mails that tell a person about the security of their sign-in."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from domain.event_metadata import Ciphertext
from domain.events import ocsf
from domain.events.base import Event
from domain.events.descriptor import EventDescriptor
from domain.mails import LinkPurpose, SecurityNotice

MAILED_FOR = {"caused_by": "Version of the account's event that requested the mail."}


class PasswordResetRequested(Event):
    """Someone asked for a link to reset a person's password, which is mailed to them. None is the owner."""

    TOPIC: ClassVar[str] = "PasswordResetRequested"
    DESCRIPTOR = EventDescriptor(
        "person.password_reset_requested",
        "Someone asked for a link to reset a person's password. It is mailed to the person. Without a subject, the "
        "person is the account's owner.",
        ocsf=ocsf.OTHER_CHANGE,
    )
    sub_user_id: UUID | None


class PasswordResetForwarded(Event):
    """Someone asked for a link to reset a sub-user's password. The account does not allow it, so the owner is told."""

    TOPIC: ClassVar[str] = "PasswordResetForwarded"
    DESCRIPTOR = EventDescriptor(
        "person.password_reset_forwarded",
        "Someone asked for a link to reset a sub-user's password. The account does not allow it, so its owner is told.",
        ocsf=ocsf.OTHER_CHANGE,
    )
    sub_user_id: UUID


class LinkUsed(Event):
    """A person used a link that was mailed to them. None is the owner."""

    TOPIC: ClassVar[str] = "LinkUsed"
    DESCRIPTOR = EventDescriptor(
        "person.link_used",
        "A person used a link that was mailed to them. Without a subject, the person is the account's owner.",
        facts=("purpose",),
        ocsf=ocsf.OTHER_CHANGE,
    )
    sub_user_id: UUID | None
    purpose: LinkPurpose


class NoticeMailed(Event):
    """A mail server accepted a security notice. `caused_by` is the version of the event that requested it."""

    TOPIC: ClassVar[str] = "NoticeMailed"
    DESCRIPTOR = EventDescriptor(
        "person.notice_mailed",
        "A mail server accepted a security notice to a person: the owner if there is no subject.",
        facts=("notice", "caused_by"),
        descriptions=MAILED_FOR,
    )
    sub_user_id: UUID | None
    notice: SecurityNotice
    caused_by: int
    reply: Ciphertext


class NoticeMailFailed(Event):
    """Delivery of a security notice failed permanently. `reply` is the last reply of the server."""

    TOPIC: ClassVar[str] = "NoticeMailFailed"
    DESCRIPTOR = EventDescriptor(
        "person.notice_mail_failed",
        "A security notice to a person could not be delivered: to the owner if there is no subject.",
        facts=("notice", "caused_by"),
        descriptions=MAILED_FOR,
        ocsf=ocsf.UNCLASSIFIED_FAILURE,
    )
    sub_user_id: UUID | None
    notice: SecurityNotice
    caused_by: int
    reply: Ciphertext


class NewDeviceSignedIn(Event):
    """A person, the owner if `sub_user_id` is None, opened a session from a device that was not known."""

    TOPIC: ClassVar[str] = "NewDeviceSignedIn"
    DESCRIPTOR = EventDescriptor(
        "person.new_device_signed_in",
        "A sub-user, or without a subject the account's owner, logged in from a device that was not known.",
        facts=("session_id",),
        ocsf=ocsf.NEW_DEVICE,
    )
    sub_user_id: UUID | None
    session_id: UUID
