"""Metadata of an event: who caused it, from where, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

Ciphertext = NewType("Ciphertext", str)
"""Text encrypted under one person's data key. Deleting the key makes it permanently unreadable."""


class ActorType(StrEnum):
    """Kinds of actor."""

    MAIN_ACCOUNT = "main_account"
    SUB_USER = "sub_user"
    SUPPORT = "support"
    SYSTEM = "system"
    ANONYMOUS = "anonymous"
    AUDITOR = "auditor"


class Via(StrEnum):
    """How an account's owner authenticated."""

    PASSWORD = "password"
    LINK = "link"
    PASSKEY = "passkey"


class ReadTarget(StrEnum):
    """What was read: the audit log or an account's history."""

    AUDIT_LOG = "audit_log"
    HISTORY = "history"


@dataclass(frozen=True)
class EventMetadata:
    """Metadata of one command, in the form in which its events store it.

    `actor_id` is the id of an account, a sub-user or an API key, or the name of a component of this service.
    `actor_api_key_id` is the id of the API key that authenticated the command, if any, and `actor_person` is the person
    at the portal who acted, as the portal names them.
    """

    actor_type: ActorType
    actor_id: str | None = None
    request_id: str | None = None
    ip: Ciphertext | None = None
    user_agent: Ciphertext | None = None
    reason: Ciphertext | None = None
    actor_api_key_id: str | None = None
    actor_person: Ciphertext | None = None
