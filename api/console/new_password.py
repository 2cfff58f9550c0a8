"""Replacing a password of one's own, whoever one is."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import url_for

from api.console.forms import Form
from api.console.own_session import replace_session
from api.console.pages import go, lead_to
from api.console.patience import wait_after
from api.console.visitors import visitor
from api.http.schemas import OwnPassword
from application.errors import InvalidValue, SessionEnded, TooBusy, TooManyAttempts
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

    from api.console.patience import Wait
    from application.main_accounts import Outcome
    from application.owner_sessions import OpenedOwnerSession
    from application.sessions import OpenedSession

OWN_PASSWORD = OwnPassword()


def change_password(
    change: Callable[..., Outcome[OpenedSession] | Outcome[OpenedOwnerSession]],
    show_form: Callable[[Form, HTTPStatus, Wait | None], Response],
    leads_to: str,
) -> Response:
    """Change the visitor's password as the form says, and lead them on; or show the form again with what is wrong."""
    form = Form.sent()
    typed = {name: form.as_typed(name) for name in OWN_PASSWORD.fields}
    passwords = form.checked_by(OWN_PASSWORD, {name: text for name, text in typed.items() if text})
    if form.errors:
        return show_form(form, HTTPStatus.UNPROCESSABLE_ENTITY, None)
    try:
        opened = change(visitor().token, **passwords, origin=visitor().origin).value
    except InvalidValue as error:
        form.take_in(error)
        return show_form(form, HTTPStatus.UNPROCESSABLE_ENTITY, None)
    except (TooManyAttempts, TooBusy) as error:
        wait = wait_after(error)
        response = show_form(form, wait.status, wait)
        response.headers.update(wait.headers)
        return response
    except (SessionEnded, LoginRefused):  # somebody else replaced the password, or ended the session, in this moment
        return lead_to(url_for("console.login", why="ended"))
    replace_session(opened.token)
    return go(leads_to, told="new_password.set")
