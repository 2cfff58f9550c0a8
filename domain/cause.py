"""Who did something, from where, and why: what every event says of its own origin."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

Sealed = NewType("Sealed", str)
"""Text encrypted under one person's own key. Unreadable for good once that person's key is deleted."""


class ActorType(StrEnum):
    """The kinds of actor that an event can name."""

    MAIN_ACCOUNT = "main_account"
    SUB_USER = "sub_user"
    SUPPORT = "support"
    SYSTEM = "system"
    ANONYMOUS = "anonymous"
    AUDITOR = "auditor"


class Via(StrEnum):
    """How the owner of an account proved to be who they are."""

    PASSWORD = "password"
    LINK = "link"


class Reading(StrEnum):
    """What there is to read of what was recorded."""

    AUDIT_LOG = "audit_log"
    HISTORY = "history"


@dataclass(frozen=True)
class Cause:
    """The origin of one command, in the form in which its events keep it.

    `actor_id` is an account's, a sub-user's or an API key's id, or the name of a part of this service.
    """

    actor_type: ActorType
    actor_id: str | None = None
    request_id: str | None = None
    ip: Sealed | None = None
    user_agent: Sealed | None = None
    reason: Sealed | None = None
