"""Login page, with one tab for main accounts and one for sub-users, and logout."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from api.console.current_user import EVERYONE, LOGGED_IN, Audience, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to, redirect_to_url, render_page
from api.console.retry_after import wait_for
from api.console.sign_in.own_session import begin_session, end_session
from api.http.authentication import service
from api.http.refusal_timing import uniform_refusals
from api.http.resources.sessions.schemas import Login
from application.errors import TooBusy, TooManyAttempts
from domain.refusals import LoginRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

    from api.console.retry_after import Wait
    from application.sign_in.new_session import NewSession

AS_SUB_USER = "sub-user"
OWNER_FIELDS = ("email", "password")
SUB_USER_FIELDS = ("account_email", "email", "password")


@blueprint.page("/login", audiences=EVERYONE)
def login_form() -> Response:
    """Show the login form, or the current login if there is one."""
    if visitor().audience is Audience.STEP_UP:
        return redirect_to("second_factor")
    return render_page("logged_in.html") if visitor().is_logged_in else login_page(Form())


@blueprint.page("/login", audiences=EVERYONE, methods=("POST",))
def log_in() -> Response:
    """Log in an account's owner or a sub-user, then redirect to the page they came for."""
    form = Form.from_request()
    fields = SUB_USER_FIELDS if as_sub_user() else OWNER_FIELDS
    values = {name: form.raw(name) if name == "password" else form[name] for name in fields}
    credentials = form.load_with(Login(only=fields), {name: value for name, value in values.items() if value})
    if form.errors:
        return login_page(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        with uniform_refusals() as on_verified:
            session, audience = _open_session(on_verified, **credentials)
    except LoginRefused:
        return login_page(form, HTTPStatus.UNAUTHORIZED, refused=True)
    except (TooManyAttempts, TooBusy) as error:
        wait = wait_for(error)
        return login_page(form, wait.status, wait=wait)
    begin_session(session)
    next_url = request.form.get("next", "")
    return redirect_to_page(audience, next_url)


@blueprint.page("/logout", audiences=LOGGED_IN, methods=("POST",))
def log_out() -> Response:
    """End the session and show the login tab that the visitor used."""
    former_tab: dict[str, Any] = {"as": AS_SUB_USER} if visitor().sub_user_or_none else {}
    end_session()
    return redirect_to("login_form", message="login.logged_out", **former_tab)


def as_sub_user() -> bool:
    """Return whether the page is the tab for sub-users."""
    return request.args.get("as") == AS_SUB_USER


def same_tab() -> dict[str, Any]:
    """Return the query parameters of the tab that the page is."""
    return {"as": AS_SUB_USER} if as_sub_user() else {}


def _open_session(
    on_verified: Callable[[], None], email: str, password: str, account_email: str | None = None
) -> tuple[NewSession, Audience]:
    """Log in, and return the session and its audience. Raises what the commands raise."""
    if account_email is None:
        owner = service().commands.owner_sessions.log_in(email, password, visitor().command_context, on_verified).value
        return owner, Audience.OWNER
    session = (
        service()
        .commands.sub_user_sessions.log_in(account_email, email, password, visitor().command_context, on_verified)
        .value
    )
    return session, Audience.RESTRICTED if session.assurance.is_restricted else Audience.SUB_USER


def redirect_to_page(audience: Audience, next_url: str) -> Response:
    """Redirect to the page that an untrusted URL names if it is one for this audience, otherwise to the start."""
    return redirect_to_url(next_url) if _is_page_for(audience, next_url) else redirect_to("start")


def _is_page_for(audience: Audience, url: str) -> bool:
    """Return whether an untrusted URL is a console page for this audience. Prevents open redirects."""
    path = url.partition("?")[0]
    if not path.startswith("/") or path.startswith("//") or not url.isprintable():
        return False  # the URL map merges slashes, but browsers take "//host" as another host
    try:
        endpoint, _ = current_app.create_url_adapter(request).match(path, method="GET")  # type: ignore[union-attr]  # not None within a request
    except HTTPException:
        return False
    return audience in getattr(current_app.view_functions[endpoint], "audiences", ())


def login_page(
    form: Form,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    refused: bool = False,
    refused_passkey: bool = False,
    wait: Wait | None = None,
) -> Response:
    """Return the login page."""
    response = render_page(
        "login.html",
        status,
        form=form,
        as_sub_user=as_sub_user(),
        same_tab=same_tab(),
        refused=refused,
        refused_passkey=refused_passkey,
        wait=wait,
        notice=request.args.get("why"),
        next_url=request.values.get("next", ""),
    )
    response.headers.update(wait.headers if wait else {})
    return response
