"""The session cookie in the visitor's browser: set, replace and delete it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from api.console.cookies import SESSION, delete_cookie, set_cookie
from api.console.current_user import visitor
from api.console.device_cookie import remember_device
from api.http.authentication import service
from application.errors import ServiceError, SessionEnded

if TYPE_CHECKING:
    from application.sign_in.new_session import NewSession
    from application.sign_in.own_sessions import OwnSessions
    from application.sign_in.password_sign_in import PasswordSignIn
    from application.sign_in.second_factors.own_second_factors import OwnSecondFactors
    from application.sign_in.second_factors.verification import SecondFactorVerification


def begin_session(session: NewSession) -> None:
    """Store a new session's token in the browser, and end the browser's previous session (ASVS 7.2.4)."""
    with suppress(ServiceError):  # its token is overwritten anyway, and the session expires on its own
        _log_out()
    replace_session(session)


def replace_session(session: NewSession) -> None:
    """Store the token of a session whose opening already ended all others of the same person."""
    set_cookie(SESSION, session.token)
    remember_device(session.person_id)


def end_session() -> None:
    """Log the visitor out of this browser."""
    _log_out()
    delete_session_cookie()


def end_every_session() -> None:
    """Log the owner out everywhere, including this browser."""
    with suppress(SessionEnded):
        service().commands.owner_sessions.log_out(visitor().token or "", visitor().command_context, everywhere=True)
    delete_session_cookie()


def delete_session_cookie() -> None:
    """Make this browser forget a session that has ended."""
    delete_cookie(SESSION)


def own_sign_in() -> PasswordSignIn:
    """Return the commands with which the visitor signed in."""
    commands = service().commands
    return commands.owner_sessions if visitor().acts_for_account else commands.sub_user_sessions


def own_sessions() -> OwnSessions:
    """Return the commands on the visitor's own sessions."""
    commands = service().commands
    return commands.own_owner_sessions if visitor().acts_for_account else commands.own_sub_user_sessions


def own_second_factors() -> OwnSecondFactors:
    """Return the commands on the visitor's own second factors."""
    commands = service().commands
    return commands.owner_second_factors if visitor().acts_for_account else commands.sub_user_second_factors


def own_verification() -> SecondFactorVerification:
    """Return the commands that verify the visitor's second factors."""
    commands = service().commands
    return commands.owner_verification if visitor().acts_for_account else commands.sub_user_verification


def _log_out() -> None:
    with suppress(SessionEnded):
        own_sign_in().log_out(visitor().token or "", visitor().command_context)
