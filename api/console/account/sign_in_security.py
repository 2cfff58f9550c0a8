"""Page of a person's own second factors: list, add and remove them, and get recovery codes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import UUID

from markupsafe import Markup

from api.console.current_user import OWNER, STEP_UP, SUB_USER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to, render_page
from api.console.sign_in.own_session import own_second_factors, replace_session
from api.console.sign_in.second_factor import challenge_json, passkey_answer
from api.http.resources.second_factors.schemas import SecondFactorName
from api.presentation.qr_codes import qr_code_svg
from application.errors import InvalidValue
from application.sign_in.second_factors.own_second_factors import Confirmation
from domain.refusals import (
    ChallengeNotFound,
    LastSecondFactor,
    NoSecondFactor,
    SecondFactorLimitReached,
    SecondFactorNeeded,
    SecondFactorNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

    from application.sign_in.second_factors.own_second_factors import OfferedTotp

PEOPLE = OWNER | SUB_USER | STEP_UP
"""People without a second factor add the first one here although they need one."""

NAME = SecondFactorName()
NOT_ADDED = (ChallengeNotFound, SecondFactorNeeded, SecondFactorLimitReached)


@blueprint.page("/sign-in-security", audiences=PEOPLE)
def sign_in_security() -> Response:
    """Show the visitor's second factors. One who has to verify one does so first."""
    return _page()


@blueprint.page("/sign-in-security/app", audiences=PEOPLE, methods=("POST",))
def new_authenticator_app() -> Response:
    """Show the secret of a new authenticator app, and ask for a code of it."""
    try:
        offer = own_second_factors().offer_totp(visitor().token or "")
    except NOT_ADDED:
        return redirect_to("sign_in_security", message="sign_in_security.not_added")
    return _app_form(Form(), offer)


@blueprint.page("/sign-in-security/app/confirm", audiences=PEOPLE, methods=("POST",))
def add_authenticator_app() -> Response:
    """Add the authenticator app if the code is right."""
    form = Form.from_request()
    names = form.load_with(NAME, {"name": form["name"]})
    code = "".join(form["code"].split())
    if not code:
        form.add_field_error("code", "Missing data for required field.")
    try:
        offer = own_second_factors().find_offer(visitor().token or "", _uuid(form["challenge_id"]))
    except NOT_ADDED:
        return redirect_to("sign_in_security", message="sign_in_security.not_added")
    if not form.errors:
        try:
            return _add(Confirmation(offer.challenge_id, names["name"], code=code))
        except InvalidValue as error:
            form.add_error(error)
        except NOT_ADDED:
            return redirect_to("sign_in_security", message="sign_in_security.not_added")
    return _app_form(form, offer, HTTPStatus.UNPROCESSABLE_ENTITY)


@blueprint.page("/sign-in-security/passkey/options", audiences=PEOPLE, methods=("POST",))
def new_passkey_options() -> Response:
    """Return the options to create a passkey, for the script."""
    return challenge_json(own_second_factors().offer_passkey(visitor().token or ""))


@blueprint.page("/sign-in-security/passkey", audiences=PEOPLE, methods=("POST",))
def add_passkey() -> Response:
    """Add the passkey that the browser has created."""
    form = Form.from_request()
    names, answer = form.load_with(NAME, {"name": form["name"]}), passkey_answer(form)
    if form.errors:
        return _page(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        if answer is not None:
            return _add(Confirmation(answer[0], names["name"], passkey=answer[1]))
    except (InvalidValue, *NOT_ADDED):
        pass
    return redirect_to("sign_in_security", message="sign_in_security.not_added")


@blueprint.page("/sign-in-security/<uuid:factor_id>/remove", audiences=PEOPLE, methods=("POST",))
def remove_second_factor(factor_id: UUID) -> Response:
    """Remove a second factor."""
    message = "sign_in_security.removed"
    try:
        own_second_factors().remove(visitor().token or "", factor_id, visitor().command_context)
    except SecondFactorNotFound:
        message = "sign_in_security.removed_already"
    except (LastSecondFactor, SecondFactorNeeded):
        message = "sign_in_security.last"
    return redirect_to("sign_in_security", message=message)


@blueprint.page("/sign-in-security/recovery-codes", audiences=PEOPLE, methods=("POST",))
def new_recovery_codes() -> Response:
    """Replace the recovery codes, and show the new ones once."""
    try:
        codes = own_second_factors().issue_recovery_codes(visitor().token or "", visitor().command_context).value
    except (NoSecondFactor, SecondFactorNeeded):
        return redirect_to("sign_in_security")
    return _codes(codes)


def _add(confirmation: Confirmation) -> Response:
    added = own_second_factors().add(visitor().token or "", confirmation, visitor().command_context).value
    replace_session(added.session)
    if added.recovery_codes is not None:
        return _codes(added.recovery_codes)
    return redirect_to("sign_in_security", message="sign_in_security.added")


def _page(form: Form | None = None, status: HTTPStatus = HTTPStatus.OK) -> Response:
    factors = own_second_factors().list_all(visitor().token or "")
    if factors.items and visitor().must_step_up:
        return redirect_to("second_factor")
    active = "account" if visitor().acts_for_account else "sign_in_security"
    return render_page("sign_in_security.html", status, active=active, factors=factors, form=form or Form())


def _app_form(form: Form, offer: OfferedTotp, status: HTTPStatus = HTTPStatus.OK) -> Response:
    qr_code = Markup(qr_code_svg(offer.uri))  # noqa: S704  # made by this service; its text is in the shapes only
    return render_page("authenticator_app.html", status, form=form, offer=offer, qr_code=qr_code)


def _codes(codes: Sequence[str]) -> Response:
    return render_page("recovery_codes.html", codes=codes)


def _uuid(text: str) -> UUID:
    """Return the id that a form has. Raises `ChallengeNotFound`."""
    try:
        return UUID(text)
    except ValueError:
        raise ChallengeNotFound from None
