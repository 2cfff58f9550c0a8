"""Page where sub-users change their password: the only one they can open while they have a temporary password."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import ANY_SUB_USER
from api.console.forms import Form
from api.console.pages import blueprint, render_page
from api.console.sign_in.new_password import change_password
from api.http.authentication import service

if TYPE_CHECKING:
    from flask import Response

    from api.console.retry_after import Wait


@blueprint.page("/password", audiences=ANY_SUB_USER)
def own_password() -> Response:
    """Show the password form."""
    return _form(Form(), HTTPStatus.OK, None)


@blueprint.page("/password", audiences=ANY_SUB_USER, methods=("POST",))
def set_own_password() -> Response:
    """Set the password and end the sub-user's other sessions."""
    return change_password(service().commands.sub_user_sessions.change_password, _form, next_endpoint="profile")


def _form(form: Form, status: HTTPStatus, wait: Wait | None) -> Response:
    return render_page("own_password.html", status, active="own_password", form=form, wait=wait)
