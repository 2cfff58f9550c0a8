"""A sub-user's password of their own, which the first login asks for."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.forms import Form
from api.console.new_password import change_password
from api.console.pages import show, site
from api.console.visitors import EVERY_SUB_USER
from api.http.doors import service

if TYPE_CHECKING:
    from flask import Response

    from api.console.patience import Wait


@site.page("/password", to=EVERY_SUB_USER)
def own_password() -> Response:
    """Show the form of a new password."""
    return _form(Form(), HTTPStatus.OK, None)


@site.page("/password", to=EVERY_SUB_USER, methods=("POST",))
def set_own_password() -> Response:
    """Set the password. Every other session of theirs ends."""
    return change_password(service().sessions.change_own_password, _form, leads_to="profile")


def _form(form: Form, status: HTTPStatus, wait: Wait | None) -> Response:
    return show("own_password.html", status, active="own_password", form=form, wait=wait)
