"""Page that asks for a second factor after the password."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flask import jsonify, request, url_for

from api.console.current_user import STEP_UP, Audience, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to, redirect_to_url, render_page
from api.console.retry_after import wait_for
from api.console.sign_in.login import redirect_to_page
from api.console.sign_in.own_session import own_second_factors, own_verification, replace_session
from api.http.refusal_timing import uniform_refusals
from application.errors import SessionEnded, TooBusy, TooManyAttempts
from application.sign_in.second_factors.verification import PasskeyProof, RecoveryCodeProof, TotpProof
from domain.refusals import LoginRefused, NoSecondFactor, SecondFactorWrong
from domain.second_factor import SecondFactorKind

if TYPE_CHECKING:
    from flask import Response

    from api.console.retry_after import Wait
    from application.sign_in.second_factors.challenges import OfferedChallenge
    from application.sign_in.second_factors.verification import Proof

TOTP_DIGITS = 6


@blueprint.page("/second-factor", audiences=STEP_UP)
def second_factor() -> Response:
    """Ask for a code or a passkey. A visitor without any second factor adds one first."""
    return _form(Form(), HTTPStatus.OK)


@blueprint.page("/second-factor", audiences=STEP_UP, methods=("POST",))
def verify_second_factor() -> Response:
    """Verify the code or the passkey, and redirect to the page that the visitor came for."""
    form = Form.from_request()
    proof = _proof(form)
    if proof is None:
        form.add_field_error("code", "Missing data for required field.")
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        with uniform_refusals() as on_verified:
            outcome = own_verification().verify(visitor().token or "", proof, visitor().command_context, on_verified)
    except SecondFactorWrong:
        return _form(form, HTTPStatus.UNAUTHORIZED, refused=True)
    except (TooManyAttempts, TooBusy) as error:
        wait = wait_for(error)
        return _form(form, wait.status, wait=wait)
    except (SessionEnded, LoginRefused, NoSecondFactor):  # another request ended the session in the meantime
        return redirect_to_url(url_for("console.login_form", why="ended"))
    replace_session(outcome.value)
    audience = Audience.OWNER if visitor().acts_for_account else Audience.SUB_USER
    return redirect_to_page(audience, request.form.get("next", ""))


@blueprint.page("/second-factor/challenge", audiences=STEP_UP, methods=("POST",))
def second_factor_challenge() -> Response:
    """Return a challenge for one of the visitor's passkeys, for the script."""
    return challenge_json(own_verification().offer_challenge(visitor().token or ""))


def challenge_json(challenge: OfferedChallenge) -> Response:
    """Return a challenge as JSON."""
    return jsonify(challenge_id=str(challenge.challenge_id), options=challenge.options)


def passkey_answer(form: Form) -> tuple[UUID, dict[str, Any]] | None:
    """Return the challenge and the answer of a passkey that the script has put into a form."""
    try:
        answer = json.loads(form.raw("passkey"))
        return (UUID(form["challenge_id"]), answer) if isinstance(answer, dict) else None
    except (ValueError, RecursionError):
        return None


def _proof(form: Form) -> Proof | None:
    if (answer := passkey_answer(form)) is not None:
        return PasskeyProof(*answer)
    code = "".join(form["code"].split())
    if not code:
        return None
    return TotpProof(code) if len(code) == TOTP_DIGITS else RecoveryCodeProof(code)


def _form(form: Form, status: HTTPStatus, *, refused: bool = False, wait: Wait | None = None) -> Response:
    factors = own_second_factors().list_all(visitor().token or "").items
    if not factors:
        return redirect_to("sign_in_security")
    response = render_page(
        "second_factor.html",
        status,
        form=form,
        refused=refused,
        wait=wait,
        has_passkey=any(factor.kind is SecondFactorKind.PASSKEY for factor in factors),
        next_url=request.values.get("next", ""),
    )
    response.headers.update(wait.headers if wait else {})
    return response
