"""Commands of people on their own sessions: list them, end one, end all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from application.command_context import CommandContext
    from application.commands.resources import SessionDetails
    from application.repository import Outcome
    from application.sign_in.open_sessions import OpenSessions
    from application.sign_in.password_sign_in import PasswordSignIn
    from application.transactional_writes import TransactionalWrite
    from domain.main_account import MainAccount


@dataclass(frozen=True)
class OwnSessions:
    """Commands of sub-users, or of owners, on their own sessions.

    Each raises `SessionEnded`, `OwnPasswordNeeded` or `SecondFactorNeeded`.
    """

    people: PasswordSignIn
    open_sessions: OpenSessions

    def list(self, token: str) -> list[SessionDetails]:
        """Return the sessions of a token's person, newest first."""
        session = self.people.unrestricted(token)
        identity, _ = self.people.identity_and_owner_key(session)
        key, at = identity.entry.key, self.people.clock()
        return self.open_sessions.details(session.person_id, key, at, session.session_id)

    def end(self, token: str, session_id: UUID, context: CommandContext) -> Outcome[None]:
        """End one session of a token's person, which can be the token's own. Raises `SessionNotFound`."""
        session = self.people.unrestricted(token)
        identity, _ = self.people.identity_and_owner_key(session)
        metadata = identity.metadata(context)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            at = self.people.clock()
            self.people.current(token)
            self.open_sessions.ensure_open(session.person_id, session_id, at)
            identity.log_out(account, session_id, at, metadata)
            return None, []

        return self.people.accounts.change(session.account_id, decide)

    def end_others(self, token: str, context: CommandContext) -> Outcome[int]:
        """End all sessions of a token's person but the token's own, and return their number."""
        session = self.people.unrestricted(token)
        identity, _ = self.people.identity_and_owner_key(session)
        metadata = identity.metadata(context)

        def decide(account: MainAccount) -> tuple[int, list[TransactionalWrite]]:
            at = self.people.clock()
            self.people.current(token)
            other_ids = [
                session_id
                for session_id in self.open_sessions.ids(session.person_id, at)
                if session_id != session.session_id
            ]
            for session_id in other_ids:
                identity.log_out(account, session_id, at, metadata)
            return len(other_ids), []

        return self.people.accounts.change(session.account_id, decide)
