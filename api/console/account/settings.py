"""Account pages for the owner: details, language, password, and logout everywhere."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to, render_page
from api.console.sign_in.new_password import change_password
from api.console.sign_in.own_session import end_every_session
from api.http.authentication import service
from api.http.resources.accounts.schemas import AccountPatch
from application.commands.accounts import AccountChanges

if TYPE_CHECKING:
    from flask import Response

    from api.console.retry_after import Wait

POLICY_PATCH = AccountPatch(only=("second_factor_policy",))
LANGUAGE_PATCH = AccountPatch(only=("language",))


@blueprint.page("/account", audiences=OWNER)
def account() -> Response:
    """Show the account's details."""
    return _page(Form())


@blueprint.page("/account", audiences=OWNER, methods=("POST",))
def change_account_language() -> Response:
    """Change the language of the account's mails and, by default, of its pages."""
    form = Form.from_request()
    values = form.load_with(LANGUAGE_PATCH, {"language": form["language"]})
    if form.errors:
        return _page(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    service().commands.accounts.change(visitor().account_id, AccountChanges(**values), visitor().command_context)
    return redirect_to("account", message="account.language_changed")


@blueprint.page("/account/second-factor-policy", audiences=OWNER, methods=("POST",))
def change_second_factor_policy() -> Response:
    """Set who in the account needs a second factor. The owner may need one, too, from now on."""
    form = Form.from_request()
    values = form.load_with(POLICY_PATCH, {"second_factor_policy": form["second_factor_policy"]})
    if form.errors:
        return _page(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    service().commands.accounts.change(visitor().account_id, AccountChanges(**values), visitor().command_context)
    return redirect_to("account", message="account.policy_changed")


@blueprint.page("/account/password-resets", audiences=OWNER, methods=("POST",))
def set_password_reset_policy() -> Response:
    """Allow or forbid sub-users to reset a forgotten password by mail."""
    allowed = Form.from_request().is_checked("sub_user_password_reset")
    changes = AccountChanges(sub_user_password_reset=allowed)
    service().commands.accounts.change(visitor().account_id, changes, visitor().command_context)
    return redirect_to("account", message="account.resets_allowed" if allowed else "account.resets_forbidden")


@blueprint.page("/account/password", audiences=OWNER)
def account_password() -> Response:
    """Show the password form."""
    return _password_form(Form(), HTTPStatus.OK, None)


@blueprint.page("/account/password", audiences=OWNER, methods=("POST",))
def set_account_password() -> Response:
    """Set the owner's password and end their other sessions."""
    return change_password(service().commands.owner_sessions.change_password, _password_form, next_endpoint="account")


@blueprint.page("/account/sessions/end", audiences=OWNER, methods=("POST",))
def log_out_everywhere() -> Response:
    """End all of the owner's sessions."""
    end_every_session()
    return redirect_to("login_form", message="account.logged_out_everywhere")


def _page(form: Form, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return render_page("account.html", status, active="account", form=form)


def _password_form(form: Form, status: HTTPStatus, wait: Wait | None) -> Response:
    has_password = service().vault.entries([visitor().account_id])[visitor().account_id].password_hash is not None
    return render_page(
        "account_password.html", status, active="account", form=form, wait=wait, has_password=has_password
    )
