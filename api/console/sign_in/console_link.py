"""One-time console link, created by the portal, that logs in the account's owner."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import EVERYONE, visitor
from api.console.pages import blueprint, redirect_to, render_page
from api.console.sign_in.own_session import begin_session
from api.http.authentication import service
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from flask import Response


@blueprint.page("/console/link/<secret>", audiences=EVERYONE)
def console_link(secret: str) -> Response:  # noqa: ARG001  # not checked here, so that the page reveals nothing about the link
    """Show a button that logs in. Opening the page does not use up the link, because link previews open it too."""
    return render_page("console_link.html")


@blueprint.page("/console/link/<secret>", audiences=EVERYONE, methods=("POST",))
def follow_console_link(secret: str) -> Response:
    """Log the owner in and use up the link."""
    try:
        session = service().commands.owner_sessions.log_in_by_link(secret, visitor().command_context).value
    except LoginRefused:
        return render_page("console_link_gone.html", HTTPStatus.GONE)
    begin_session(session)
    return redirect_to("start")
