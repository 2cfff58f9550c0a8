"""Page that adds a sub-user and optionally activates them right away."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import url_for

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to, render_page, t
from api.console.sub_users.expiry import expiry_options
from api.console.sub_users.form import (
    add_email_error,
    find_by_email,
    find_sub_user,
    form_zone,
    message_values,
    parse_sub_user,
    redirect_back,
    return_url,
)
from api.http.authentication import service
from api.http.resources.sub_users.schemas import NewSubUser
from application.commands.sub_users import SubUserChanges
from application.errors import InvalidValue, ServiceError
from domain.refusals import Refusal, RevisionMismatch, SubUserEmailTaken, SubUserLimitReached
from domain.sub_user import has_passed

if TYPE_CHECKING:
    from flask import Response

    from api.console.sub_users.form import SubUserValues
    from application.commands.resources import SubUserDetails
    from domain.sub_user import CredentialsKind

NEW = NewSubUser()

DUPLICATE_WINDOW = timedelta(minutes=1)
"""An identical form sent within this time counts as a double submission."""

INITIAL_REVISION = 1
"""The revision of a sub-user who has not changed since they were added."""


@blueprint.page("/sub-users/new", audiences=OWNER)
def new_sub_user() -> Response:
    """Show the empty form, or a notice that the sub-user limit is reached."""
    account = visitor().account
    is_full = account.sub_user_count >= account.sub_user_limit
    return _form(Form(), HTTPStatus.CONFLICT if is_full else HTTPStatus.OK, is_full=is_full)


@blueprint.page("/sub-users/new", audiences=OWNER, methods=("POST",))
def add_sub_user() -> Response:
    """Add a sub-user and, if the form says so, activate them in a second command, which can fail on its own."""
    form = Form.from_request()
    values = parse_sub_user(form, NEW)
    if values is not None and has_passed(values.access_expires_at, service().clock()):
        form.errors["access_expires_at"] = t("sub_user_form.expiry_has_passed")
    if values is None or form.errors:
        add_email_error(form)
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        sub_user = _create(values)
    except InvalidValue as error:
        form.add_error(error)
        add_email_error(form)
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    except SubUserEmailTaken:
        form.errors["email"] = t("sub_user_form.email_taken")
        return _form(form, HTTPStatus.CONFLICT)
    except SubUserLimitReached:
        return _form(form, HTTPStatus.CONFLICT, is_full=True)
    if not form.is_checked("active"):
        key = _message_key(sub_user)
        activation = url_for("console.confirm_activation", sub_user_id=sub_user.sub_user_id)
        next_url = activation if key == "sub_users.added" else None
        return redirect_back(key, message_values(sub_user), next_url=next_url)
    return _activate(sub_user, values.credentials_kind)


def _create(values: SubUserValues) -> SubUserDetails:
    """Return the new sub-user, or the existing one if the same form was sent a moment ago. Raises refusals."""
    try:
        return (
            service()
            .commands.sub_users.create(
                visitor().account_id,
                visitor().command_context,
                email=values.email,
                name=values.name,
                surname=values.surname,
                password=values.password,
                visible=values.visible,
                access_expires_at=values.access_expires_at,
            )
            .value
        )
    except SubUserEmailTaken:
        existing = _find_duplicate_submission(values)
        if existing is None:
            raise
        return existing


def _find_duplicate_submission(values: SubUserValues) -> SubUserDetails | None:
    """Return the sub-user created by an identical form within `DUPLICATE_WINDOW`, if any."""
    existing, since = find_by_email(values.email), service().clock() - DUPLICATE_WINDOW
    is_same = existing is not None and existing.created_at >= since and _has_values(existing, values)
    return existing if is_same else None


def _has_values(sub_user: SubUserDetails, values: SubUserValues) -> bool:
    current = (sub_user.email, sub_user.name, sub_user.surname, sub_user.visible, sub_user.access_expires_at)
    return current == (values.email, values.name, values.surname, values.visible, values.access_expires_at)


def _activate(sub_user: SubUserDetails, credentials_kind: CredentialsKind) -> Response:
    """Activate the new sub-user, unless another request has changed them in the meantime."""
    changes = SubUserChanges(active=True, credentials_kind=credentials_kind, if_revisions={INITIAL_REVISION})
    try:
        updated = (
            service()
            .commands.sub_users.change(sub_user.account_id, sub_user.sub_user_id, changes, visitor().command_context)
            .value
        )
    except RevisionMismatch:
        updated = find_sub_user(sub_user.sub_user_id)
    except (Refusal, ServiceError):
        return redirect_to("edit_sub_user", sub_user_id=sub_user.sub_user_id, why="not-activated")
    return redirect_back(_message_key(updated), message_values(updated))


def _message_key(sub_user: SubUserDetails) -> str:
    """Return the key of the message about the new sub-user's state."""
    if sub_user.status != "active":
        return "sub_users.added" if sub_user.revision == INITIAL_REVISION else "sub_users.changed_meanwhile"
    return "sub_users.added_and_activated"


def _form(form: Form, status: HTTPStatus = HTTPStatus.OK, *, is_full: bool = False) -> Response:
    zone = form_zone(form)
    return render_page(
        "sub_user_form.html",
        status,
        active="sub_users",
        form=form,
        is_full=is_full,
        zone=zone,
        options=expiry_options(zone),
        back=return_url(),
    )
