"""Where a command comes from, as the door that took it knows it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from domain.cause import ActorType, Cause

if TYPE_CHECKING:
    from uuid import UUID

    from application.ports import PersonKey


@dataclass(frozen=True)
class Origin:
    """Who acts, from where, and why: in the clear, and so never stored."""

    actor_type: ActorType
    actor_id: str | None = None
    request_id: str | None = None
    ip: str | None = field(default=None, repr=False)
    user_agent: str | None = field(default=None, repr=False)
    reason: str | None = field(default=None, repr=False)

    def sealed_with(self, key: PersonKey) -> Cause:
        """Return it in the form that events keep."""
        return Cause(
            actor_type=self.actor_type,
            actor_id=self.actor_id,
            request_id=self.request_id,
            ip=key.seal("ip", self.ip) if self.ip else None,
            user_agent=key.seal("user_agent", self.user_agent) if self.user_agent else None,
            reason=key.seal("reason", self.reason) if self.reason else None,
        )

    def for_account(self, account_id: UUID) -> Origin:
        """Return the same with the owner of a new account as the actor, if it was no other."""
        return replace(self, actor_id=str(account_id)) if self.actor_type is ActorType.MAIN_ACCOUNT else self

    def by_owner(self, account_id: UUID) -> Origin:
        """Return the same with the owner of an account in person as the actor."""
        return replace(self, actor_type=ActorType.MAIN_ACCOUNT, actor_id=str(account_id))

    def by_sub_user(self, sub_user_id: UUID) -> Origin:
        """Return the same with a sub-user as the actor."""
        return replace(self, actor_type=ActorType.SUB_USER, actor_id=str(sub_user_id))

    def by_nobody_known(self) -> Origin:
        """Return the same with nobody known as the actor: somebody who did not prove who they are."""
        return replace(self, actor_type=ActorType.ANONYMOUS, actor_id=None)
