"""A sub-user as its main account knows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.cause import Sealed


class CredentialsMailState(StrEnum):
    """How far the last mail with access data has come."""

    NONE = "none"
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Notice(StrEnum):
    """What a sub-user is told by mail when new access data is issued."""

    NONE = "none"
    ACTIVATION = "activation"
    REACTIVATION = "reactivation"
    SEND_AGAIN = "send_again"
    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"


@dataclass(frozen=True)
class SubUser:
    """One living sub-user.

    `credentials` counts the passwords that were issued or chosen: a mail that carries an earlier one is out of date.
    `mail_version` is the account's version that last asked for a mail with access data.
    `revision` counts what the main account or the sub-user changed; logins and mails leave it alone.
    """

    sub_user_id: UUID
    email_hash: str
    email: Sealed
    name: Sealed
    surname: Sealed
    created_at: datetime
    visible: bool = True
    active: bool = False
    was_activated: bool = False
    locked: bool = False
    must_change_password: bool = True
    access_expires_at: datetime | None = None
    last_login_at: datetime | None = None
    credentials: int = 1
    credentials_mail: CredentialsMailState = CredentialsMailState.NONE
    mail_version: int = 0
    revision: int = 1

    def has_expired(self, at: datetime) -> bool:
        """Say whether access had run out at that moment."""
        return self.access_expires_at is not None and self.access_expires_at <= at


@dataclass(frozen=True)
class SubUserEdit:
    """What the main account wants changed; None leaves a thing as it is.

    `expiry_given` tells "no expiry any more" (given, and None) from "leave it".
    `new_password` says that a temporary password is set along with it.
    """

    name: Sealed | None = None
    surname: Sealed | None = None
    visible: bool | None = None
    active: bool | None = None
    expiry_given: bool = False
    access_expires_at: datetime | None = None
    new_password: bool = False
