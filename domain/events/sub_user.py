"""Events of a sub-user: details, access, credentials, sessions, and erasure."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.event_metadata import Ciphertext
from domain.events import ocsf
from domain.events.base import Event
from domain.events.descriptor import EventDescriptor
from domain.sub_user import Notice


class SubUserCreated(Event):
    """A sub-user was created, inactive."""

    TOPIC: ClassVar[str] = "SubUserCreated"
    DESCRIPTOR = EventDescriptor(
        "sub_user.created",
        "A sub-user was created. They are inactive until they are activated.",
        facts=("visible", "access_expires_at"),
        ocsf=ocsf.CREATE,
    )
    sub_user_id: UUID
    email: Ciphertext
    email_hash: str
    name: Ciphertext
    surname: Ciphertext
    visible: bool
    access_expires_at: datetime | None


class SubUserDetailsChanged(Event):
    """A sub-user's name or surname changed. None means unchanged."""

    TOPIC: ClassVar[str] = "SubUserDetailsChanged"
    DESCRIPTOR = EventDescriptor(
        "sub_user.details_changed",
        "A sub-user's name changed.",
        ocsf=ocsf.OTHER_CHANGE,
    )
    sub_user_id: UUID
    name: Ciphertext | None
    surname: Ciphertext | None


class SubUserEmailChanged(Event):
    """The main account corrected a sub-user's e-mail. The former one is in the previous events."""

    TOPIC: ClassVar[str] = "SubUserEmailChanged"
    DESCRIPTOR = EventDescriptor(
        "sub_user.email_changed",
        "A sub-user's e-mail changed. An active sub-user is mailed new credentials there.",
        ocsf=ocsf.OTHER_CHANGE,
    )
    sub_user_id: UUID
    email: Ciphertext
    email_hash: str


class SubUserVisibilityChanged(Event):
    """A sub-user was hidden from lists and reports, or made visible again."""

    TOPIC: ClassVar[str] = "SubUserVisibilityChanged"
    DESCRIPTOR = EventDescriptor(
        "sub_user.visibility_changed",
        "A sub-user was hidden or made visible again.",
        facts=("visible",),
        ocsf=ocsf.OTHER_CHANGE,
    )
    sub_user_id: UUID
    visible: bool


class SubUserAccessExpirySet(Event):
    """The expiry of a sub-user's access was set, changed or removed (None)."""

    TOPIC: ClassVar[str] = "SubUserAccessExpirySet"
    DESCRIPTOR = EventDescriptor(
        "sub_user.access_expiry_set",
        "The end of a sub-user's access was set, or removed if there is no `access_expires_at`.",
        facts=("access_expires_at",),
        ocsf=ocsf.OTHER_CHANGE,
    )
    sub_user_id: UUID
    access_expires_at: datetime | None


class SubUserActivated(Event):
    """A sub-user was activated, and is mailed credentials. `notice` tells first from later activations."""

    TOPIC: ClassVar[str] = "SubUserActivated"
    DESCRIPTOR = EventDescriptor(
        "sub_user.activated",
        "A sub-user was activated and may log in. They are mailed their credentials.",
        facts=("credentials", "notice"),
        ocsf=ocsf.ENABLE,
    )
    sub_user_id: UUID
    credentials: int
    notice: Notice


class SubUserDeactivated(Event):
    """A sub-user was deactivated and cannot log in until the next activation."""

    TOPIC: ClassVar[str] = "SubUserDeactivated"
    DESCRIPTOR = EventDescriptor(
        "sub_user.deactivated",
        "A sub-user was deactivated and may not log in until they are activated again.",
        ocsf=ocsf.DISABLE,
    )
    sub_user_id: UUID


class SubUserPasswordReset(Event):
    """The main account set a new temporary password. `notice` is the mail that announces it, `none` without a mail.

    With an invitation, nobody knows the password: the mail has a link with which the sub-user chooses their own.
    """

    TOPIC: ClassVar[str] = "SubUserPasswordReset"
    DESCRIPTOR = EventDescriptor(
        "sub_user.password_reset",
        "The main account replaced a sub-user's password with a temporary one. With the notice `invitation`, nobody "
        "knows it: the sub-user is mailed a link to choose their own.",
        facts=("credentials", "notice"),
        ocsf=ocsf.PASSWORD_RESET,
    )
    sub_user_id: UUID
    credentials: int
    notice: Notice


class SubUserPasswordChanged(Event):
    """A sub-user replaced their password with one that they chose."""

    TOPIC: ClassVar[str] = "SubUserPasswordChanged"
    DESCRIPTOR = EventDescriptor(
        "sub_user.password_changed",
        "A sub-user chose their own password.",
        facts=("credentials",),
        ocsf=ocsf.PASSWORD_CHANGE,
    )
    sub_user_id: UUID
    credentials: int


class SubUserLoggedIn(Event):
    """A sub-user opened a session. With a temporary password, the session can only replace that password."""

    TOPIC: ClassVar[str] = "SubUserLoggedIn"
    DESCRIPTOR = EventDescriptor(
        "sub_user.logged_in",
        "A sub-user logged in.",
        facts=("session_id", "with_temporary_password"),
        ocsf=ocsf.LOGON,
    )
    sub_user_id: UUID
    session_id: UUID
    with_temporary_password: bool


class SubUserLoginRefused(Event):
    """A login was refused. After a few in a row, not every refusal is recorded; `failures` counts all of them."""

    TOPIC: ClassVar[str] = "SubUserLoginRefused"
    DESCRIPTOR = EventDescriptor(
        "sub_user.login_refused",
        "A login was refused. Of many failures in a row, only the first few and then ever fewer are published. "
        "Without a subject, there is no such sub-user.",
        facts=("why", "failures"),
        ocsf=ocsf.REFUSED_LOGON,
    )
    sub_user_id: UUID | None
    why: str
    failures: int


class SubUserLockedOut(Event):
    """Too many failed logins in a row locked the sub-user, until they log in or receive new credentials."""

    TOPIC: ClassVar[str] = "SubUserLockedOut"
    DESCRIPTOR = EventDescriptor(
        "sub_user.locked_out",
        "Too many failed logins locked a sub-user temporarily.",
        facts=("failures",),
        ocsf=ocsf.LOCK,
    )
    sub_user_id: UUID
    failures: int


class SubUserUnlocked(Event):
    """A login or new credentials ended a sub-user's lock."""

    TOPIC: ClassVar[str] = "SubUserUnlocked"
    DESCRIPTOR = EventDescriptor(
        "sub_user.unlocked",
        "A login, a new password or new credentials unlocked a sub-user.",
        ocsf=ocsf.UNLOCK,
    )
    sub_user_id: UUID


class SubUserLoggedOut(Event):
    """A sub-user ended a session, or the main account ended all of their sessions (None)."""

    TOPIC: ClassVar[str] = "SubUserLoggedOut"
    DESCRIPTOR = EventDescriptor(
        "sub_user.logged_out",
        "A sub-user ended a session, or the main account ended all of them if there is no `session_id`.",
        facts=("session_id",),
        ocsf=ocsf.LOGOFF,
    )
    sub_user_id: UUID
    session_id: UUID | None


class SubUserDeleted(Event):
    """A sub-user was deleted permanently."""

    TOPIC: ClassVar[str] = "SubUserDeleted"
    DESCRIPTOR = EventDescriptor(
        "sub_user.deleted",
        "A sub-user was deleted permanently.",
        ocsf=ocsf.DELETE,
    )
    sub_user_id: UUID


class CredentialsMailed(Event):
    """A mail server accepted a mail to a sub-user. `caused_by` is the version of the event that requested the mail."""

    TOPIC: ClassVar[str] = "CredentialsMailed"
    DESCRIPTOR = EventDescriptor(
        "sub_user.credentials_mailed",
        "A mail server accepted a mail to a sub-user.",
        facts=("notice", "caused_by"),
    )
    sub_user_id: UUID
    notice: Notice
    caused_by: int
    reply: Ciphertext


class CredentialsMailFailed(Event):
    """Delivery of a mail to a sub-user failed permanently. `reply` is the last reply of the server."""

    TOPIC: ClassVar[str] = "CredentialsMailFailed"
    DESCRIPTOR = EventDescriptor(
        "sub_user.credentials_mail_failed",
        "A mail to a sub-user could not be delivered.",
        facts=("notice", "caused_by"),
        ocsf=ocsf.UNCLASSIFIED_FAILURE,
    )
    sub_user_id: UUID
    notice: Notice
    caused_by: int
    reply: Ciphertext


class PersonalDataErased(Event):
    """The data key of a sub-user, or of the owner (None), was deleted, which erases their personal data."""

    TOPIC: ClassVar[str] = "PersonalDataErased"
    DESCRIPTOR = EventDescriptor(
        "sub_user.personal_data_erased",
        "A person's data key was deleted. Their personal data can no longer be decrypted.",
        ocsf=ocsf.OTHER_CHANGE,
    )
    sub_user_id: UUID | None
