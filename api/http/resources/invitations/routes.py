"""Route for people who were invited with a mailed link."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.resources.password_resets.routes import choose_password
from api.http.resources.password_resets.schemas import ChosenPassword
from api.http.routing import RECORDED_POSITION, Routes
from application.commands.api_keys import Scope
from domain.mails import LinkPurpose

if TYPE_CHECKING:
    from flask import Response

routes = Routes("invitations", "Invitations of sub-users")


@routes.route(
    "POST",
    "/v1/invitations/complete",
    Scope.PORTAL,
    problems=(HTTPStatus.GONE,),
    body=ChosenPassword,
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def complete_invitation(body: dict[str, Any]) -> Response:
    """Set the password of an invited sub-user with the link that was mailed to them.

    They log in with the password. A password that is not allowed does not use up the link.
    """
    return choose_password(body, LinkPurpose.INVITATION)
