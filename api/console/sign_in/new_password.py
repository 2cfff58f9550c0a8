"""Password change, shared by owners and sub-users."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import url_for

from api.console.current_user import visitor
from api.console.forms import Form
from api.console.pages import redirect_to, redirect_to_url
from api.console.retry_after import wait_for
from api.console.sign_in.own_session import replace_session
from api.http.refusal_timing import uniform_refusals
from api.http.resources.sessions.schemas import OwnPassword
from application.errors import InvalidValue, SessionEnded, TooBusy, TooManyAttempts
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

    from api.console.retry_after import Wait
    from application.repository import Outcome
    from application.sign_in.new_session import NewSession

OWN_PASSWORD = OwnPassword(only=("current_password", "new_password"))


def change_password(
    change: Callable[..., Outcome[NewSession]],
    show_form: Callable[[Form, HTTPStatus, Wait | None], Response],
    next_endpoint: str,
) -> Response:
    """Change the visitor's password and redirect to `next_endpoint`, or show the form again with its errors."""
    form = Form.from_request()
    values = {name: form.raw(name) for name in OWN_PASSWORD.fields}
    passwords = form.load_with(OWN_PASSWORD, {name: value for name, value in values.items() if value})
    if form.errors:
        return show_form(form, HTTPStatus.UNPROCESSABLE_ENTITY, None)
    try:
        with uniform_refusals() as on_verified:
            session = change(
                visitor().token, **passwords, context=visitor().command_context, on_verified=on_verified
            ).value
    except InvalidValue as error:
        form.add_error(error)
        return show_form(form, HTTPStatus.UNPROCESSABLE_ENTITY, None)
    except (TooManyAttempts, TooBusy) as error:
        wait = wait_for(error)
        response = show_form(form, wait.status, wait)
        response.headers.update(wait.headers)
        return response
    except (SessionEnded, LoginRefused):  # another request changed the password or ended the session in the meantime
        return redirect_to_url(url_for("console.login_form", why="ended"))
    replace_session(session)
    return redirect_to(next_endpoint, message="new_password.set")
