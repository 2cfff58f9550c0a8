"""A link that the portal made for an account's owner: its page has one button, and the button logs them in."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import request

from api.console.own_session import begin_session
from api.console.pages import go, show, site
from api.console.visitors import ANYBODY, visitor
from api.http.doors import service
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from flask import Response

LINKS = frozenset({"console.console_link", "console.follow_console_link"})


@site.page("/console/link/<secret>", to=ANYBODY)
def console_link(secret: str) -> Response:  # noqa: ARG001  # whether it is good is told to nobody who merely looks
    """Show the button. Looking spends nothing, or a preview of the link would."""
    return show("console_link.html")


@site.page("/console/link/<secret>", to=ANYBODY, methods=("POST",))
def follow_console_link(secret: str) -> Response:
    """Log the owner in, which spends the link."""
    try:
        opened = service().owner_sessions.log_in_by_link(secret, visitor().origin).value
    except LoginRefused:
        return show("console_link_gone.html", HTTPStatus.GONE)
    begin_session(opened.token)
    return go("start")


@site.after_request
def _keep_address(response: Response) -> Response:
    """Have the browser tell nobody an address with a secret in it, whatever the page says."""
    if request.endpoint in LINKS:
        response.headers["Referrer-Policy"] = "no-referrer"
    return response
