"""Sub-user: state, its transitions, and changes that the main account can request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from datetime import datetime
    from uuid import UUID

    from domain.event_metadata import Ciphertext


TEMPORARY_PASSWORD_LIFETIME = timedelta(days=7)
"""Validity of a temporary password (rule 5 of `domain.main_account`; ASVS 6.4.1 requires a short one)."""

EXPIRING_PERIOD = timedelta(days=7)
"""How long before its expiry access counts as expiring."""


class CredentialsMailState(StrEnum):
    """State of the last credentials mail to a sub-user."""

    NONE = "none"
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Notice(StrEnum):
    """Kind of mail that announces a change of a sub-user's credentials."""

    NONE = "none"
    ACTIVATION = "activation"
    REACTIVATION = "reactivation"
    SEND_AGAIN = "send_again"
    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGED = "email_changed"
    INVITATION = "invitation"
    """A link with which the sub-user chooses their password. No password is mailed."""


class CredentialsKind(StrEnum):
    """What a credentials mail contains."""

    PASSWORD = "password"
    """A temporary password."""
    LINK = "link"
    """A link to choose a password, an invitation."""

    @classmethod
    def in_mail(cls, notice: Notice) -> CredentialsKind:
        """Return what the mail that announces new credentials contains."""
        return cls.LINK if notice == Notice.INVITATION else cls.PASSWORD


def has_passed(expiry: datetime | None, as_of: datetime) -> bool:
    """Return whether an expiry, if there is one, has passed at a time."""
    return expiry is not None and expiry <= as_of


class AccessStatus(StrEnum):
    """Access statuses of a sub-user."""

    ACTIVE = "active"
    INVITED = "invited"
    """Active, but they have never signed in."""
    EXPIRING = "expiring"
    """Active, and their access expires within `EXPIRING_PERIOD`."""
    LOCKED = "locked"
    EXPIRED = "expired"
    INACTIVE = "inactive"


@dataclass(frozen=True)
class AccessFacts:
    """Facts that decide the access status. Lists compute them in SQL, so that they can filter and count by status."""

    active: bool
    has_expired: bool
    locked: bool
    has_logged_in: bool
    expires_soon: bool

    @property
    def status(self) -> AccessStatus:
        """The access status: of those that apply, the one that the owner should know first."""
        if not self.active:
            return AccessStatus.INACTIVE
        if self.has_expired:
            return AccessStatus.EXPIRED
        if self.locked:
            return AccessStatus.LOCKED
        if not self.has_logged_in:
            return AccessStatus.INVITED
        return AccessStatus.EXPIRING if self.expires_soon else AccessStatus.ACTIVE


@dataclass(frozen=True)
class SubUser:
    """State of one sub-user who has not been deleted.

    `credentials_version` counts the passwords that were issued or chosen. A mail with an earlier one is outdated. The
    field `credentials` of events has it.
    `mail_version` is the version of the account's event that last requested a credentials mail.
    `revision` counts changes by the main account or the sub-user; logins and mail outcomes do not count.
    `password_issued_at` is the time at which the last temporary password was set or, if later, first mailed. The
    password of an invited sub-user is known to nobody. It expires at the same time as their link.
    `credentials_kind` is what the last credentials mail contained.

    The transitions are named after the events that cause them. Each returns the new state, and checks no rule.
    """

    sub_user_id: UUID
    email_hash: str
    email: Ciphertext
    name: Ciphertext
    surname: Ciphertext
    created_at: datetime
    active: bool = False
    was_activated: bool = False
    visible: bool = True
    access_expires_at: datetime | None = None
    must_change_password: bool = True
    locked: bool = False
    last_login_at: datetime | None = None
    credentials_version: int = 1
    credentials_mail: CredentialsMailState = CredentialsMailState.NONE
    mail_version: int = 0
    revision: int = 1
    password_issued_at: datetime | None = None
    credentials_kind: CredentialsKind = CredentialsKind.PASSWORD
    has_second_factor: bool = False

    # Transitions

    def details_changed(self, name: Ciphertext | None, surname: Ciphertext | None) -> SubUser:
        """Return the state with another name, surname or both. None leaves a value unchanged."""
        return self._revised(name=name or self.name, surname=surname or self.surname)

    def email_changed(self, email: Ciphertext, email_hash: str) -> SubUser:
        """Return the state with another e-mail, to which no credentials have been mailed yet."""
        return self._revised(
            email=email, email_hash=email_hash, credentials_mail=CredentialsMailState.NONE, mail_version=0
        )

    def visibility_changed(self, *, visible: bool) -> SubUser:
        """Return the state as a hidden or a visible sub-user."""
        return self._revised(visible=visible)

    def access_expiry_set(self, access_expires_at: datetime | None) -> SubUser:
        """Return the state with another expiry of access, or without one."""
        return self._revised(access_expires_at=access_expires_at)

    def activated(self, credentials_version: int, notice: Notice, version: int, at: datetime) -> SubUser:
        """Return the active state. The event of this version requests a mail with the credentials."""
        return self._revised(
            active=True,
            was_activated=True,
            must_change_password=True,
            credentials_version=credentials_version,
            credentials_mail=CredentialsMailState.PENDING,
            mail_version=version,
            password_issued_at=at,
            credentials_kind=CredentialsKind.in_mail(notice),
        )

    def deactivated(self) -> SubUser:
        """Return the inactive state, without a pending credentials mail."""
        return self._revised(active=False, credentials_mail=self._credentials_mail_unless_pending)

    def password_reset(self, credentials_version: int, notice: Notice, version: int, at: datetime) -> SubUser:
        """Return the state with a new temporary password. Unless `notice` is NONE, this event mails it."""
        is_mailed = notice != Notice.NONE
        return self._revised(
            must_change_password=True,
            credentials_version=credentials_version,
            credentials_mail=CredentialsMailState.PENDING if is_mailed else self.credentials_mail,
            mail_version=version if is_mailed else self.mail_version,
            password_issued_at=at,
            credentials_kind=CredentialsKind.in_mail(notice),
        )

    def password_changed(self, credentials_version: int) -> SubUser:
        """Return the state with a password of the sub-user's own choice, without a pending credentials mail."""
        return self._revised(
            must_change_password=False,
            credentials_version=credentials_version,
            credentials_mail=self._credentials_mail_unless_pending,
        )

    def logged_in(self, at: datetime) -> SubUser:
        """Return the state after a login."""
        return self._with(last_login_at=at)

    def locked_out(self) -> SubUser:
        """Return the locked state."""
        return self._with(locked=True)

    def unlocked(self) -> SubUser:
        """Return the unlocked state."""
        return self._with(locked=False)

    def second_factor_added(self) -> SubUser:
        """Return the state with one more second factor."""
        return self._revised(has_second_factor=True)

    def second_factor_removed(self, remaining: int) -> SubUser:
        """Return the state with one second factor less."""
        return self._revised(has_second_factor=remaining > 0)

    def second_factors_reset(self) -> SubUser:
        """Return the state without second factors."""
        return self._revised(has_second_factor=False)

    def credentials_mail_finished(self, caused_by: int, outcome: CredentialsMailState) -> SubUser:
        """Return the state after the outcome of a mail. Outcomes of earlier or other mails change nothing."""
        return self._with(credentials_mail=outcome) if caused_by == self.mail_version else self

    def _revised(self, **changes: Any) -> SubUser:
        return self._with(revision=self.revision + 1, **changes)

    def _with(self, **changes: Any) -> SubUser:
        # `dataclasses.replace` takes four times as long: it sets each field of a frozen class again.
        changed = object.__new__(SubUser)
        vars(changed).update(vars(self), **changes)
        return changed

    @property
    def _credentials_mail_unless_pending(self) -> CredentialsMailState:
        """The state of the credentials mail, NONE if it is still pending: a pending mail is cancelled."""
        is_pending = self.credentials_mail == CredentialsMailState.PENDING
        return CredentialsMailState.NONE if is_pending else self.credentials_mail

    # Queries

    @property
    def temporary_password_expires_at(self) -> datetime | None:
        """Return the expiry of the temporary password or the invitation, or None if there is none in force.

        The password of an inactive sub-user is not in force: its validity starts with the activation.
        """
        if not self.active or not self.must_change_password or self.password_issued_at is None:
            return None
        return self.password_issued_at + TEMPORARY_PASSWORD_LIFETIME

    def has_expired(self, as_of: datetime) -> bool:
        """Return whether access has expired at a time."""
        return has_passed(self.access_expires_at, as_of)


@dataclass(frozen=True)
class NewEmail:
    """E-mail that replaces a sub-user's, with its hash under their own key.

    `hashes_under_existing_keys` are its hashes under the keys of the account's sub-users.
    """

    encrypted: Ciphertext
    email_hash: str
    hashes_under_existing_keys: AbstractSet[str] = frozenset()

    @property
    def all_hashes(self) -> AbstractSet[str]:
        """Every hash that the e-mail can have in the account."""
        return {self.email_hash, *self.hashes_under_existing_keys}


@dataclass(frozen=True)
class SubUserEdit:
    """Changes of a sub-user that the main account requests, with encrypted texts. None leaves a value unchanged.

    `access_expires_at` is applied only if `changes_expiry`, because None removes the expiry.
    `new_password` sets a new temporary password. `credentials_kind` is what a credentials mail contains that the edit
    causes. By default, an activation mails a temporary password, and a new e-mail the same as the last mail.
    """

    email: NewEmail | None = None
    name: Ciphertext | None = None
    surname: Ciphertext | None = None
    visible: bool | None = None
    active: bool | None = None
    changes_expiry: bool = False
    access_expires_at: datetime | None = None
    new_password: bool = False
    credentials_kind: CredentialsKind | None = None

    def activates(self, sub_user: SubUser) -> bool:
        """Return whether the edit activates an inactive sub-user."""
        return self.active is True and not sub_user.active

    def deactivates(self, sub_user: SubUser) -> bool:
        """Return whether the edit deactivates an active sub-user."""
        return self.active is False and sub_user.active

    def mails_new_password(self, sub_user: SubUser) -> bool:
        """Return whether the edit mails a new password to a sub-user who is active and stays active.

        A new e-mail needs one, too: it must not inherit a password, and signing in with the mailed one confirms it.
        """
        is_needed = self.new_password or self.email is not None
        return is_needed and sub_user.active and not self.deactivates(sub_user)

    def credentials_to_mail(self, sub_user: SubUser) -> CredentialsKind:
        """Return what the credentials mail contains, if the edit causes one."""
        if self.credentials_kind is not None:
            return self.credentials_kind
        return CredentialsKind.PASSWORD if self.new_password or self.activates(sub_user) else sub_user.credentials_kind

    def access_expiry_after(self, sub_user: SubUser) -> datetime | None:
        """Return the expiry of access after the edit."""
        return self.access_expires_at if self.changes_expiry else sub_user.access_expires_at
