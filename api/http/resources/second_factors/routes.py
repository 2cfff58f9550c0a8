"""Routes of second factors: their verification in a session, their enrolment, and their reset."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import api_key, command_context, require_account, service
from api.http.problems import unprocessable
from api.http.refusal_timing import uniform_refusals
from api.http.resources.second_factors.schemas import (
    AddedSecondFactorAnswer,
    NewSecondFactor,
    PasskeyChallengeAnswer,
    PasskeyLogin,
    RecoveryCodesAnswer,
    SecondFactorListAnswer,
    SecondFactorProof,
    TotpOfferAnswer,
)
from api.http.resources.sessions.opened_sessions import opened_session
from api.http.resources.sessions.schemas import OpenedSessionAnswer
from api.http.resources.sessions.tokens import session_token
from api.http.responses import json_response
from api.http.routing import RECORDED_POSITION, REQUIRED_REASON, SESSION_TOKEN, Routes
from api.presentation.qr_codes import qr_code_svg
from application.commands.api_keys import Scope
from application.sign_in.second_factors.own_second_factors import Confirmation
from application.sign_in.second_factors.verification import PasskeyProof, RecoveryCodeProof, TotpProof

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from application.sign_in.second_factors.verification import Proof

routes = Routes("second-factors", "Second factors of sub-users and owners")
OPENED, ADDED, LIST = OpenedSessionAnswer(), AddedSecondFactorAnswer(), SecondFactorListAnswer()
PASSKEY_CHALLENGE, TOTP_OFFER, RECOVERY_CODES = PasskeyChallengeAnswer(), TotpOfferAnswer(), RecoveryCodesAnswer()
PATH = "/v1/sessions/current/second-factors"
OWN_PROBLEMS = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


@routes.route(
    "POST",
    "/v1/sessions/current/second-factor",
    Scope.PORTAL,
    problems=(*OWN_PROBLEMS, HTTPStatus.TOO_MANY_REQUESTS),
    headers=(SESSION_TOKEN,),
    body=SecondFactorProof,
    response=(200, OpenedSessionAnswer),
    response_headers=(RECORDED_POSITION,),
)
def verify_second_factor(body: dict[str, Any]) -> Response:
    """Verify a second factor.

    The session ends. The response has the token of a new one, of the level `second_factor`, with the same end. Every
    refused code or passkey gets the same response after the same time. Each code is good once.
    """
    with uniform_refusals() as on_verified:
        outcome = service().commands.sub_user_verification.verify(
            session_token(), _proof(body), command_context(), on_verified
        )
    return json_response(OPENED.to_json(opened_session(outcome.value)), position=outcome.position)


@routes.route(
    "POST",
    "/v1/sessions/current/second-factor/challenges",
    Scope.PORTAL,
    problems=OWN_PROBLEMS,
    headers=(SESSION_TOKEN,),
    response=(201, PasskeyChallengeAnswer),
)
def create_second_factor_challenge() -> Response:
    """Create a challenge for one of the sub-user's passkeys."""
    challenge = service().commands.sub_user_verification.offer_challenge(session_token())
    return json_response(PASSKEY_CHALLENGE.to_json(challenge), HTTPStatus.CREATED)


@routes.route(
    "POST",
    "/v1/sessions/passkey-challenges",
    Scope.PORTAL,
    response=(201, PasskeyChallengeAnswer),
)
def create_passkey_challenge() -> Response:
    """Create a challenge for a login with a passkey alone.

    It is for nobody in particular: the browser offers the passkeys that it has for this service.
    """
    challenge = service().commands.sub_user_verification.offer_sign_in_challenge()
    return json_response(PASSKEY_CHALLENGE.to_json(challenge), HTTPStatus.CREATED)


@routes.route(
    "POST",
    "/v1/sessions/passkey",
    Scope.PORTAL,
    problems=(HTTPStatus.TOO_MANY_REQUESTS,),
    body=PasskeyLogin,
    response=(201, OpenedSessionAnswer),
    response_headers=(RECORDED_POSITION,),
)
def log_in_with_passkey(body: dict[str, Any]) -> Response:
    """Log a sub-user in with a passkey alone, without e-mail or password.

    The passkey must verify its user, now and when it was added. The session has the level `second_factor`. Every
    refused login gets the same response after the same time.
    """
    verification = service().commands.sub_user_verification
    if api_key().limits.accounts is not None:
        require_account(verification.account_of_passkey(body["passkey"]))
    with uniform_refusals() as on_verified:
        outcome = verification.sign_in(
            PasskeyProof(body["challenge_id"], body["passkey"]), command_context(), on_verified
        )
    return json_response(OPENED.to_json(opened_session(outcome.value)), HTTPStatus.CREATED, position=outcome.position)


@routes.route(
    "GET", PATH, Scope.PORTAL, problems=OWN_PROBLEMS, headers=(SESSION_TOKEN,), response=(200, SecondFactorListAnswer)
)
def list_second_factors() -> Response:
    """List the sub-user's second factors, oldest first."""
    return json_response(LIST.to_json(service().commands.sub_user_second_factors.list_all(session_token())))


@routes.route(
    "POST",
    f"{PATH}/totp",
    Scope.PORTAL,
    problems=OWN_PROBLEMS,
    headers=(SESSION_TOKEN,),
    response=(201, TotpOfferAnswer),
)
def create_totp_secret() -> Response:
    """Get a secret for an authenticator app.

    It becomes a second factor once the sub-user sends a code of the app. A session that has not verified a second
    factor can only add the first one.
    """
    offer = service().commands.sub_user_second_factors.offer_totp(session_token())
    return json_response(TOTP_OFFER.to_json({**vars(offer), "qr_code": qr_code_svg(offer.uri)}), HTTPStatus.CREATED)


@routes.route(
    "POST",
    f"{PATH}/passkey",
    Scope.PORTAL,
    problems=OWN_PROBLEMS,
    headers=(SESSION_TOKEN,),
    response=(201, PasskeyChallengeAnswer),
)
def create_passkey_options() -> Response:
    """Get the options to create a passkey in the browser.

    It becomes a second factor once the sub-user sends the response of the browser. A session that has not verified a
    second factor can only add the first one.
    """
    challenge = service().commands.sub_user_second_factors.offer_passkey(session_token())
    return json_response(PASSKEY_CHALLENGE.to_json(challenge), HTTPStatus.CREATED)


@routes.route(
    "POST",
    PATH,
    Scope.PORTAL,
    problems=OWN_PROBLEMS,
    headers=(SESSION_TOKEN,),
    body=NewSecondFactor,
    response=(201, AddedSecondFactorAnswer),
    response_headers=(RECORDED_POSITION,),
)
def create_second_factor(body: dict[str, Any]) -> Response:
    """Add a second factor: an authenticator app, confirmed by one of its codes, or a passkey.

    The session ends. The response has the token of a new one, of the level `second_factor`, and recovery codes with the
    first factor.
    """
    outcome = service().commands.sub_user_second_factors.add(session_token(), Confirmation(**body), command_context())
    added = outcome.value
    answer = {"factor": added.factor, "session": opened_session(added.session), "recovery_codes": added.recovery_codes}
    return json_response(ADDED.to_json(answer), HTTPStatus.CREATED, position=outcome.position)


@routes.route(
    "DELETE",
    f"{PATH}/<uuid:factor_id>",
    Scope.PORTAL,
    problems=OWN_PROBLEMS,
    headers=(SESSION_TOKEN,),
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def delete_second_factor(factor_id: UUID) -> Response:
    """Remove one of the sub-user's second factors.

    The session must have verified a second factor. With the last factor, the recovery codes go, too.
    """
    outcome = service().commands.sub_user_second_factors.remove(session_token(), factor_id, command_context())
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.route(
    "POST",
    f"{PATH}/recovery-codes",
    Scope.PORTAL,
    problems=OWN_PROBLEMS,
    headers=(SESSION_TOKEN,),
    response=(201, RecoveryCodesAnswer),
    response_headers=(RECORDED_POSITION,),
)
def create_recovery_codes() -> Response:
    """Get ten new recovery codes.

    The former ones are void. The session must have verified a second factor.
    """
    outcome = service().commands.sub_user_second_factors.issue_recovery_codes(session_token(), command_context())
    answer = {"recovery_codes": outcome.value}
    return json_response(RECOVERY_CODES.to_json(answer), HTTPStatus.CREATED, position=outcome.position)


@routes.route(
    "DELETE",
    "/v1/accounts/<uuid:account_id>/sub-users/<uuid:sub_user_id>/second-factors",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def delete_second_factors_of_sub_user(account_id: UUID, sub_user_id: UUID) -> Response:
    """Remove all second factors and recovery codes of a sub-user who has lost them.

    Their sessions end. Without a second factor, nothing changes.
    """
    outcome = service().commands.second_factor_resets.reset(account_id, sub_user_id, command_context(account_id))
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.route(
    "DELETE",
    "/v1/accounts/<uuid:account_id>/owner/second-factors",
    Scope.SUPPORT,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    headers=(REQUIRED_REASON,),
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def delete_second_factors_of_owner(account_id: UUID) -> Response:
    """Remove all second factors and recovery codes of an account's owner who has lost them.

    Their sessions end. The reason is recorded in the account's history.
    """
    context = command_context(account_id)
    if context.reason is None:
        raise unprocessable({"X-Reason": ["is missing"]})
    outcome = service().commands.second_factor_resets.reset(account_id, None, context)
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


def _proof(body: dict[str, Any]) -> Proof:
    if "code" in body:
        return TotpProof(body["code"])
    if "recovery_code" in body:
        return RecoveryCodeProof(body["recovery_code"])
    return PasskeyProof(body["challenge_id"], body["passkey"])
