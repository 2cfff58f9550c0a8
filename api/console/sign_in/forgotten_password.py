"""Pages where owners and sub-users ask for a link to reset their password.

The response and its time are the same for everybody, whether they exist or not.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import EVERYONE, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to, render_page
from api.console.retry_after import wait_for
from api.console.sign_in.login import as_sub_user, same_tab
from api.http.authentication import service
from api.http.refusal_timing import uniform_responses
from api.http.resources.sessions.schemas import Login
from application.errors import TooBusy, TooManyAttempts

if TYPE_CHECKING:
    from flask import Response

    from api.console.retry_after import Wait

OWNER_FIELDS = ("account_email",)
SUB_USER_FIELDS = ("account_email", "email")


@blueprint.page("/forgotten-password", audiences=EVERYONE)
def forgotten_password() -> Response:
    """Show the form for an owner or a sub-user."""
    return _form(Form())


@blueprint.page("/forgotten-password", audiences=EVERYONE, methods=("POST",))
def request_password_reset() -> Response:
    """Mail a link to the person, if they exist."""
    form = Form.from_request()
    names = SUB_USER_FIELDS if as_sub_user() else OWNER_FIELDS
    person = form.load_with(Login(only=names), {name: form[name] for name in names if form[name]})
    if form.errors:
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        with uniform_responses() as on_found:
            service().commands.password_resets.request(
                person["account_email"], person.get("email"), visitor().command_context, on_found
            )
    except (TooManyAttempts, TooBusy) as error:
        wait = wait_for(error)
        return _form(form, wait.status, wait)
    return redirect_to("password_reset_requested", **same_tab())


@blueprint.page("/forgotten-password/requested", audiences=EVERYONE)
def password_reset_requested() -> Response:
    """Show what happens next: the same page for every person that was named."""
    return render_page("forgotten_password_requested.html", as_sub_user=as_sub_user(), same_tab=same_tab())


def _form(form: Form, status: HTTPStatus = HTTPStatus.OK, wait: Wait | None = None) -> Response:
    response = render_page(
        "forgotten_password.html", status, form=form, as_sub_user=as_sub_user(), same_tab=same_tab(), wait=wait
    )
    response.headers.update(wait.headers if wait else {})
    return response
