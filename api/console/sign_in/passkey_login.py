"""Login with a passkey alone, from the login page."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import request

from api.console.current_user import EVERYONE, Audience, visitor
from api.console.forms import Form
from api.console.pages import blueprint
from api.console.retry_after import wait_for
from api.console.sign_in.login import as_sub_user, login_page, redirect_to_page
from api.console.sign_in.own_session import begin_session
from api.console.sign_in.second_factor import challenge_json, passkey_answer
from api.http.authentication import service
from api.http.refusal_timing import uniform_refusals
from application.errors import TooBusy, TooManyAttempts
from application.sign_in.second_factors.verification import PasskeyProof
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from flask import Response

    from application.sign_in.second_factors.verification import SecondFactorVerification


@blueprint.page("/login/passkey-challenge", audiences=EVERYONE, methods=("POST",))
def passkey_challenge() -> Response:
    """Return a challenge for any passkey that signs in alone, for the script."""
    return challenge_json(_verification().offer_sign_in_challenge())


@blueprint.page("/login/passkey", audiences=EVERYONE, methods=("POST",))
def log_in_with_passkey() -> Response:
    """Log in an account's owner or a sub-user, then redirect to the page they came for."""
    form = Form.from_request()
    answer = passkey_answer(form)
    if answer is None:
        return login_page(Form(), HTTPStatus.UNPROCESSABLE_ENTITY, refused_passkey=True)
    try:
        with uniform_refusals() as on_verified:
            outcome = _verification().sign_in(PasskeyProof(*answer), visitor().command_context, on_verified)
    except LoginRefused:
        return login_page(Form(), HTTPStatus.UNAUTHORIZED, refused_passkey=True)
    except (TooManyAttempts, TooBusy) as error:
        wait = wait_for(error)
        return login_page(Form(), wait.status, wait=wait)
    begin_session(outcome.value)
    audience = Audience.SUB_USER if as_sub_user() else Audience.OWNER
    return redirect_to_page(audience, request.form.get("next", ""))


def _verification() -> SecondFactorVerification:
    commands = service().commands
    return commands.sub_user_verification if as_sub_user() else commands.owner_verification
