"""Pages of the links that are mailed to people, with which they choose a password.

Opening a page neither uses the link up nor shows whether it is valid, because mail programs and their scanners open
links, too.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import EVERYONE, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to, render_page
from api.console.retry_after import wait_for
from api.console.sign_in.login import AS_SUB_USER
from api.console.sign_in.own_session import end_session
from api.http.authentication import service
from api.http.resources.password_resets.schemas import ChosenPassword
from application.errors import InvalidValue, TooBusy
from domain.mails import LinkPurpose
from domain.refusals import LinkInvalid

if TYPE_CHECKING:
    from flask import Response

    from api.console.retry_after import Wait

CHOSEN_PASSWORD = ChosenPassword(only=("new_password",))


@blueprint.page("/password-reset/<secret>", audiences=EVERYONE)
def password_reset_link(secret: str) -> Response:  # noqa: ARG001  # not checked, so that the page reveals nothing
    """Show the form for a new password."""
    return _form(LinkPurpose.PASSWORD_RESET, Form())


@blueprint.page("/password-reset/<secret>", audiences=EVERYONE, methods=("POST",))
def reset_password(secret: str) -> Response:
    """Replace the person's password, and use up the link."""
    return _choose_password(secret, LinkPurpose.PASSWORD_RESET)


@blueprint.page("/invitation/<secret>", audiences=EVERYONE)
def invitation_link(secret: str) -> Response:  # noqa: ARG001  # not checked, so that the page reveals nothing
    """Show the form for the first password."""
    return _form(LinkPurpose.INVITATION, Form())


@blueprint.page("/invitation/<secret>", audiences=EVERYONE, methods=("POST",))
def accept_invitation(secret: str) -> Response:
    """Set the sub-user's password, and use up the link."""
    return _choose_password(secret, LinkPurpose.INVITATION)


def _choose_password(secret: str, purpose: LinkPurpose) -> Response:
    form = Form.from_request()
    password = form.raw("new_password")
    chosen = form.load_with(CHOSEN_PASSWORD, {"new_password": password} if password else {})
    if form.errors:
        return _form(purpose, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        sub_user_id = (
            service()
            .commands.password_resets.choose_password(
                secret, purpose, chosen["new_password"], visitor().command_context
            )
            .value
        )
    except LinkInvalid:
        return render_page("mailed_link_gone.html", HTTPStatus.GONE, purpose=purpose)
    except InvalidValue as error:
        form.add_error(error)
        return _form(purpose, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    except TooBusy as error:
        wait = wait_for(error)
        return _form(purpose, form, wait.status, wait)
    if visitor().is_logged_in:
        end_session()
    same_tab = {"as": AS_SUB_USER} if sub_user_id is not None else {}
    return redirect_to("login_form", message="mailed_link.password_set", **same_tab)  # type: ignore[arg-type]  # not `message_values`


def _form(purpose: LinkPurpose, form: Form, status: HTTPStatus = HTTPStatus.OK, wait: Wait | None = None) -> Response:
    response = render_page("mailed_link.html", status, purpose=purpose, form=form, wait=wait)
    response.headers.update(wait.headers if wait else {})
    return response
