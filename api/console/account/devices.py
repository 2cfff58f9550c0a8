"""Page of a person's own devices: where they are logged in, with buttons that end those sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.current_user import OWNER, SUB_USER, visitor
from api.console.pages import blueprint, redirect_to, render_page
from api.console.sign_in.own_session import delete_session_cookie, own_sessions
from domain.refusals import SessionNotFound

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

OWNER_OR_SUB_USER = OWNER | SUB_USER


@blueprint.page("/devices", audiences=OWNER_OR_SUB_USER)
def devices() -> Response:
    """Show the visitor's sessions."""
    sessions = own_sessions().list(visitor().token or "")
    return render_page("devices.html", active="account" if visitor().is_owner else "profile", sessions=sessions)


@blueprint.page("/devices/<uuid:session_id>/end", audiences=OWNER_OR_SUB_USER, methods=("POST",))
def end_device_session(session_id: UUID) -> Response:
    """End one of the visitor's sessions. Their current one ends like a logout."""
    try:
        own_sessions().end(visitor().token or "", session_id, visitor().command_context)
    except SessionNotFound:
        return redirect_to("devices", message="own_sessions.has_ended")
    if session_id == visitor().session_id:
        delete_session_cookie()
        return redirect_to("login_form", message="login.logged_out")
    return redirect_to("devices", message="own_sessions.ended")


@blueprint.page("/devices/others/end", audiences=OWNER_OR_SUB_USER, methods=("POST",))
def end_other_device_sessions() -> Response:
    """End all of the visitor's sessions but the current one."""
    own_sessions().end_others(visitor().token or "", visitor().command_context)
    return redirect_to("devices", message="own_sessions.others_ended")
