"""Context of a command: who sends it, from where, and why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from domain.event_metadata import ActorType, EventMetadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from application.ports.vault import PersonKey


@dataclass(frozen=True)
class CommandContext:
    """Actor, client and reason of a command, as plaintext. Events store the encrypted `EventMetadata` instead.

    `person` is the person at the portal who acts for the actor, as the portal names them. `device_id_of` returns the
    opaque id of the client's device for a person who signs in; None if devices have no ids.
    """

    actor_type: ActorType
    actor_id: str | None = None
    request_id: str | None = None
    ip: str | None = field(default=None, repr=False)
    user_agent: str | None = field(default=None, repr=False)
    reason: str | None = field(default=None, repr=False)
    api_key_id: str | None = None
    person: str | None = field(default=None, repr=False)
    device_id_of: Callable[[UUID], str] | None = field(default=None, repr=False)

    def encrypted_with(self, key: PersonKey) -> EventMetadata:
        """Return the metadata for events, with the personal fields encrypted."""
        return EventMetadata(
            actor_type=self.actor_type,
            actor_id=self.actor_id,
            request_id=self.request_id,
            ip=key.encrypt("ip", self.ip) if self.ip else None,
            user_agent=key.encrypt("user_agent", self.user_agent) if self.user_agent else None,
            reason=key.encrypt("reason", self.reason) if self.reason else None,
            actor_api_key_id=self.api_key_id,
            actor_person=key.encrypt("actor_person", self.person) if self.person else None,
        )

    def without_personal_data(self) -> EventMetadata:
        """Return the metadata for an event that belongs to no account, so that no key can encrypt personal data."""
        return EventMetadata(self.actor_type, self.actor_id, self.request_id, actor_api_key_id=self.api_key_id)

    def for_account(self, account_id: UUID) -> CommandContext:
        """Return the context for a command on an account. An owner as actor becomes its owner."""
        return replace(self, actor_id=str(account_id)) if self.actor_type is ActorType.MAIN_ACCOUNT else self

    def by_owner(self, account_id: UUID) -> CommandContext:
        """Return a copy with the owner of an account as the actor."""
        return replace(self, actor_type=ActorType.MAIN_ACCOUNT, actor_id=str(account_id))

    def by_sub_user(self, sub_user_id: UUID) -> CommandContext:
        """Return a copy with a sub-user as the actor."""
        return replace(self, actor_type=ActorType.SUB_USER, actor_id=str(sub_user_id))

    def by_anonymous(self) -> CommandContext:
        """Return a copy with an anonymous actor, for a client that has not authenticated."""
        return replace(self, actor_type=ActorType.ANONYMOUS, actor_id=None)
