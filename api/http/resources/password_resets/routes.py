"""Routes for people who cannot sign in, but receive mails."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import api_key, command_context, require_account, service
from api.http.refusal_timing import uniform_responses
from api.http.resources.password_resets.schemas import ChosenPassword, NewPasswordReset, PasswordResetAnswer
from api.http.responses import json_response
from api.http.routing import RECORDED_POSITION, Routes
from application.commands.api_keys import Scope
from application.sign_in.password_resets import PASSWORD_RESET_LIFETIME
from domain.mails import LinkPurpose

if TYPE_CHECKING:
    from flask import Response

routes = Routes("password-resets", "Forgotten passwords")
ACCEPTED = PasswordResetAnswer()


@routes.route(
    "POST",
    "/v1/password-resets",
    Scope.PORTAL,
    problems=(HTTPStatus.TOO_MANY_REQUESTS,),
    body=NewPasswordReset,
    response=(202, PasswordResetAnswer),
)
def request_password_reset(body: dict[str, Any]) -> Response:
    """Mail a link to a person who forgot their password.

    The response is the same, after the same time, for a person who does not exist or has no access. If the account does
    not let its sub-users reset their password, the account's owner is told instead. A new link replaces the former one.
    """
    if api_key().limits.accounts is not None:
        require_account(service().find_account_id(body["account_email"]))
    with uniform_responses() as on_found:
        service().commands.password_resets.request(**body, context=command_context(), on_found=on_found)
    answer = {"link_lifetime_seconds": int(PASSWORD_RESET_LIFETIME.total_seconds())}
    return json_response(ACCEPTED.to_json(answer), HTTPStatus.ACCEPTED)


@routes.route(
    "POST",
    "/v1/password-resets/complete",
    Scope.PORTAL,
    problems=(HTTPStatus.GONE,),
    body=ChosenPassword,
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def complete_password_reset(body: dict[str, Any]) -> Response:
    """Replace the password of a person with the link that was mailed to them.

    All sessions of the person end. They are told by mail, and log in with the new password. A password that is not
    allowed does not use up the link.
    """
    return choose_password(body, LinkPurpose.PASSWORD_RESET)


def choose_password(body: dict[str, Any], purpose: LinkPurpose) -> Response:
    """Replace the password of the person to whom a link with this purpose was mailed."""
    password_resets = service().commands.password_resets
    if api_key().limits.accounts is not None:
        require_account(password_resets.find_account_id(body["token"], purpose))
    outcome = password_resets.choose_password(body["token"], purpose, body["new_password"], command_context())
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)
