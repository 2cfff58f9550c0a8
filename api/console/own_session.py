"""The session that a visitor's browser holds: it begins, is replaced by another, and ends."""

from __future__ import annotations

from contextlib import suppress

from api.console.cookies import SESSION, drop_cookie, set_cookie
from api.console.visitors import visitor
from api.http.doors import service
from application.errors import ServiceError, SessionEnded
from application.resources import SessionDetails, session_details


def begin_session(token: str) -> None:
    """Have the browser keep a session that was just opened. One that it held until now ends (ASVS 7.2.4)."""
    with suppress(ServiceError):  # the old one is out of reach now, and ends by itself
        _end()
    set_cookie(SESSION, token)


def replace_session(token: str) -> None:
    """Have the browser keep a session that was opened when all others of its owner's were ended."""
    set_cookie(SESSION, token)


def end_session() -> None:
    """Log the visitor out."""
    _end()
    drop_cookie(SESSION)


def end_every_session() -> None:
    """Log the owner out everywhere, here too."""
    with suppress(SessionEnded):
        service().owner_sessions.log_out(visitor().token or "", visitor().origin, everywhere=True)
    drop_cookie(SESSION)


def own_sessions() -> list[SessionDetails]:
    """Return the visitor's sessions, newest first."""
    person_id = visitor().sub_user.sub_user_id if visitor().of_sub_user else visitor().account_id
    key = service().person_key(person_id)
    if key is None:
        return []
    return [
        session_details(session, key) for session in service().open_sessions.of_person(person_id, service().clock())
    ]


def _end() -> None:
    sessions = service().owner_sessions if visitor().is_owner else service().sessions
    with suppress(SessionEnded):
        sessions.log_out(visitor().token or "", visitor().origin)
