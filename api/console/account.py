"""What an owner sees and changes of the account itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.browsers import browser_name
from api.console.forms import Form
from api.console.new_password import change_password
from api.console.own_session import end_every_session, own_sessions
from api.console.pages import go, show, site
from api.console.visitors import OWNER, visitor
from api.http.doors import service
from api.http.schemas import AccountPatch
from application.accounts import AccountChanges

if TYPE_CHECKING:
    from flask import Response

    from api.console.patience import Wait

LANGUAGE = AccountPatch(only=("language",))


@site.page("/account", to=OWNER)
def account() -> Response:
    """Show the account."""
    return _page(Form())


@site.page("/account", to=OWNER, methods=("POST",))
def change_account_language() -> Response:
    """Change the language that mails are written in."""
    form = Form.sent()
    chosen = form.checked_by(LANGUAGE, {"language": form["language"]})
    if form.errors:
        return _page(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    service().accounts.change(visitor().account_id, AccountChanges(**chosen), visitor().origin)
    return go("account", told="account.language_changed")


@site.page("/account/password", to=OWNER)
def account_password() -> Response:
    """Show the form of a new password."""
    return _password_form(Form(), HTTPStatus.OK, None)


@site.page("/account/password", to=OWNER, methods=("POST",))
def set_account_password() -> Response:
    """Set the owner's password. Every other session of theirs ends."""
    return change_password(service().owner_sessions.change_password, _password_form, leads_to="account")


@site.page("/account/sessions/end", to=OWNER, methods=("POST",))
def log_out_everywhere() -> Response:
    """End every session of the owner's."""
    end_every_session()
    return go("login", told="account.logged_out_everywhere")


def _page(form: Form, status: HTTPStatus = HTTPStatus.OK) -> Response:
    sessions = own_sessions()
    return show("account.html", status, active="account", form=form, sessions=sessions, browser_name=browser_name)


def _password_form(form: Form, status: HTTPStatus, wait: Wait | None) -> Response:
    has_password = service().vault.entries([visitor().account_id])[visitor().account_id].password_hash is not None
    return show("account_password.html", status, active="account", form=form, wait=wait, has_password=has_password)
