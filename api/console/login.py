"""Logging in through either of two tabs, and logging out."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from api.console.forms import Form
from api.console.own_session import begin_session, end_session
from api.console.pages import go, lead_to, show, site
from api.console.patience import wait_after
from api.console.visitors import ANYBODY, LOGGED_IN, Audience, visitor
from api.http.doors import service
from api.http.schemas import Login
from api.http.sessions import login_place
from application.errors import TooBusy, TooManyAttempts
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from flask import Response

    from api.console.patience import Wait

AS_SUB_USER = "sub-user"
OWNERS_FIELDS = ("email", "password")
SUB_USERS_FIELDS = ("account_email", "email", "password")


@site.page("/login", to=ANYBODY)
def login() -> Response:
    """Show the form, with the tab of main accounts or that of sub-users; to those logged in, as whom they are."""
    return show("logged_in.html") if visitor().is_known else _form(Form())


@site.page("/login", to=ANYBODY, methods=("POST",))
def log_in() -> Response:
    """Log an account's owner in, or a sub-user."""
    form = Form.sent()
    fields = SUB_USERS_FIELDS if _as_sub_user() else OWNERS_FIELDS
    typed = {name: form.as_typed(name) if name == "password" else form[name] for name in fields}
    tried = form.checked_by(Login(only=fields), {name: text for name, text in typed.items() if text})
    if form.errors:
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        with login_place():
            token, audience = _opened(**tried)
    except LoginRefused:
        return _form(form, HTTPStatus.UNAUTHORIZED, refused=True)
    except (TooManyAttempts, TooBusy) as error:
        wait = wait_after(error)
        return _form(form, wait.status, wait=wait)
    begin_session(token)
    came_for = request.form.get("next", "")
    return lead_to(came_for) if _is_page_for(audience, came_for) else go("start")


@site.page("/logout", to=LOGGED_IN, methods=("POST",))
def log_out() -> Response:
    """End the session."""
    same_tab: dict[str, Any] = {"as": AS_SUB_USER} if visitor().of_sub_user else {}
    end_session()
    return go("login", told="login.logged_out", **same_tab)


def _as_sub_user() -> bool:
    return request.args.get("as") == AS_SUB_USER


def _opened(email: str, password: str, account_email: str | None = None) -> tuple[str, Audience]:
    """Open a session, and return its token and whose it is. Raises as the commands do."""
    if account_email is None:
        return service().owner_sessions.log_in(email, password, visitor().origin).value.token, Audience.OWNER
    opened = service().sessions.log_in(account_email, email, password, visitor().origin).value
    return opened.token, Audience.RESTRICTED if opened.must_change_password else Audience.SUB_USER


def _is_page_for(audience: Audience, address: str) -> bool:
    """Say whether an address, which may come from anywhere, is that of a page of ours for this audience."""
    path = address.partition("?")[0]
    if not path.startswith("/") or path.startswith("//") or not address.isprintable():
        return False  # the map of addresses makes nothing of slashes, with which browsers go to another host
    try:
        endpoint, _ = current_app.create_url_adapter(request).match(path, method="GET")  # type: ignore[union-attr]  # there is a request
    except HTTPException:
        return False
    return audience in getattr(current_app.view_functions[endpoint], "audience", ())


def _form(
    form: Form, status: HTTPStatus = HTTPStatus.OK, *, refused: bool = False, wait: Wait | None = None
) -> Response:
    response = show(
        "login.html",
        status,
        form=form,
        as_sub_user=_as_sub_user(),
        refused=refused,
        wait=wait,
        why=request.args.get("why"),
        came_for=request.values.get("next", ""),
    )
    response.headers.update(wait.headers if wait else {})
    return response
