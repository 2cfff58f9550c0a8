"""Responses with a new session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.http.authentication import service
from application.sign_in.new_session import token_hash

if TYPE_CHECKING:
    from application.sign_in.new_session import NewSession


def opened_session(session: NewSession) -> dict[str, Any]:
    """Return the response body for a new session of a sub-user, which can have ended in the meantime."""
    checked = service().commands.access.check_session(token_hash(session.token), [])
    needs_second_factor = checked is not None and checked.session.needs_second_factor
    second_factors = service().commands.sub_user_second_factors
    return {
        "token": session.token,
        "expires_at": session.expires_at,
        "account_id": session.account_id,
        "person_id": session.person_id,
        "must_change_password": session.must_change_password,
        "permissions": checked.permissions if checked is not None else (),
        "assurance_level": session.assurance,
        "step_up_required": checked is not None and checked.step_up_required,
        "second_factors": second_factors.kinds_of(session.person_id) if needs_second_factor else (),
    }
