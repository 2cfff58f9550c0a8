"""Open sessions of one person: their details, and the check that a session is among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.commands.resources import SessionDetails, session_details
from domain.refusals import SessionNotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from application.ports.sessions import Sessions
    from application.ports.sign_in.client_details import ClientDescriber
    from application.ports.vault import PersonKey


@dataclass(frozen=True)
class OpenSessions:
    """Open sessions of people."""

    sessions: Sessions
    clients: ClientDescriber

    def details(
        self, person_id: UUID, key: PersonKey, at: datetime, current_id: UUID | None = None
    ) -> list[SessionDetails]:
        """Return the details of a person's sessions, newest first. `current_id` is that of the reader's session."""
        return [
            session_details(session, key, self.clients, current_id)
            for session in self.sessions.of_person(person_id, at)
        ]

    def ids(self, person_id: UUID, at: datetime) -> list[UUID]:
        """Return the ids of a person's sessions, newest first."""
        return [session.session_id for session in self.sessions.of_person(person_id, at)]

    def ensure_open(self, person_id: UUID, session_id: UUID, at: datetime) -> None:
        """Raise `SessionNotFound` unless a person has this session."""
        if session_id not in self.ids(person_id, at):
            raise SessionNotFound
