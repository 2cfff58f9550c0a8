"""The session cookie in the visitor's browser: set, replace and delete it."""

from __future__ import annotations

from contextlib import suppress

from api.console.cookies import SESSION, delete_cookie, set_cookie
from api.console.current_user import visitor
from api.http.authentication import service
from application.commands.resources import SessionDetails, session_details
from application.errors import ServiceError, SessionEnded


def begin_session(token: str) -> None:
    """Store a new session's token in the browser, and end the browser's previous session (ASVS 7.2.4)."""
    with suppress(ServiceError):  # its token is overwritten anyway, and the session expires on its own
        _log_out()
    set_cookie(SESSION, token)


def replace_session(token: str) -> None:
    """Store the token of a session whose opening already ended all others of the same person."""
    set_cookie(SESSION, token)


def end_session() -> None:
    """Log the visitor out of this browser."""
    _log_out()
    delete_cookie(SESSION)


def end_every_session() -> None:
    """Log the owner out everywhere, including this browser."""
    with suppress(SessionEnded):
        service().commands.owner_sessions.log_out(visitor().token or "", visitor().command_context, everywhere=True)
    delete_cookie(SESSION)


def own_sessions() -> list[SessionDetails]:
    """Return the visitor's sessions, newest first."""
    person_id = visitor().sub_user.sub_user_id if visitor().sub_user_or_none else visitor().account_id
    key = service().person_key(person_id)
    if key is None:
        return []
    return [
        session_details(session, key) for session in service().queries.sessions.of_person(person_id, service().clock())
    ]


def _log_out() -> None:
    sessions = service().commands.owner_sessions if visitor().is_owner else service().commands.sub_user_sessions
    with suppress(SessionEnded):
        sessions.log_out(visitor().token or "", visitor().command_context)
