"""Page that edits a sub-user. It merges concurrent changes, and asks where both changed the same field."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, render_page, t
from api.console.retry_after import wait_for
from api.console.sub_users.conflict import BASE, base_values, conflict_page, merge, versions
from api.console.sub_users.expiry import expiry_options
from api.console.sub_users.form import (
    add_email_error,
    find_sub_user,
    form_revision,
    form_zone,
    message_values,
    parse_sub_user,
    redirect_back,
    return_url,
)
from api.http.authentication import service
from api.http.resources.sub_users.schemas import SubUserPatch
from api.presentation.times import to_form_value
from application.commands.sub_users import SubUserChanges
from application.errors import InvalidValue
from domain.refusals import AccessExpired, RevisionMismatch, SubUserEmailTaken, TooManyMails
from domain.sub_user import has_passed

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from api.console.retry_after import Wait
    from api.console.sub_users.form import SubUserValues
    from application.commands.resources import SubUserDetails

PATCH = SubUserPatch()


@blueprint.page("/sub-users/<uuid:sub_user_id>/edit", audiences=OWNER)
def edit_sub_user(sub_user_id: UUID) -> Response:
    """Show the form with the stored values."""
    return _form(Form(), find_sub_user(sub_user_id))


@blueprint.page("/sub-users/<uuid:sub_user_id>/edit", audiences=OWNER, methods=("POST",))
def save_sub_user(sub_user_id: UUID) -> Response:
    """Save the fields that the visitor has changed. A field that has also changed elsewhere is a conflict."""
    form = Form.from_request()
    current = find_sub_user(sub_user_id)
    values = parse_sub_user(form, PATCH)
    if values is None:
        add_email_error(form, current)
        return _form(form, current, HTTPStatus.UNPROCESSABLE_ENTITY)
    return _merge_and_save(form, values, current)


def _merge_and_save(form: Form, values: SubUserValues, current: SubUserDetails) -> Response:
    fields = versions(form, values, current)
    if any(version.is_conflict for version in fields):
        return conflict_page(form, values, current, fields)
    active = next(version for version in fields if version.field == "active")
    changes = _changes(
        merge(values, current, fields),
        current,
        active=(active.submitted if active.is_changed_here else active.stored) == "on",
    )
    if not changes:
        return redirect_back("sub_users.unchanged")
    expiry = changes.get("access_expires_at")
    if has_passed(expiry, service().clock()):
        form.errors["access_expires_at"] = t("sub_user_form.expiry_has_passed")
        return _form(form, current, HTTPStatus.UNPROCESSABLE_ENTITY)
    return _save(form, values, current, changes, is_merged=any(version.is_changed_elsewhere for version in fields))


def _save(
    form: Form, values: SubUserValues, current: SubUserDetails, changes: dict[str, Any], *, is_merged: bool
) -> Response:
    try:
        updated = _change(current, changes)
    except InvalidValue as error:
        form.add_error(error)
        add_email_error(form, current)
        return _form(form, current, HTTPStatus.UNPROCESSABLE_ENTITY)
    except SubUserEmailTaken:
        form.errors["email"] = t("sub_user_form.email_taken")
        return _form(form, current, HTTPStatus.CONFLICT)
    except AccessExpired:
        form.errors["access_expires_at"] = t("sub_user_form.expiry_has_passed")
        return _form(form, current, HTTPStatus.CONFLICT)
    except RevisionMismatch:
        return _merge_and_save(form, values, find_sub_user(current.sub_user_id))
    except TooManyMails as error:
        wait = wait_for(error)
        return _form(form, current, wait.status, wait)
    key = _message_key(current, updated, changes)
    return redirect_back("sub_users.merged" if is_merged and key == "sub_users.saved" else key, message_values(updated))


def _changes(values: SubUserValues, current: SubUserDetails, *, active: bool) -> dict[str, Any]:
    """Return the changed fields as keyword arguments of `SubUserChanges`."""
    changes: dict[str, Any] = {
        name: getattr(values, name)
        for name in ("name", "surname", "visible")
        if getattr(values, name) != getattr(current, name)
    }
    if values.changes_email(current.email):
        changes["email"] = values.email
    if values.password is not None:
        changes["password"] = values.password
    if active != (current.status == "active"):
        changes["active"] = active
    if values.changes_expiry(current.access_expires_at):
        changes |= {"changes_expiry": True, "access_expires_at": values.access_expires_at}
    if changes.get("active") or "email" in changes:
        changes["credentials_kind"] = values.credentials_kind
    return changes


def _change(current: SubUserDetails, changes: dict[str, Any]) -> SubUserDetails:
    command = SubUserChanges(**changes, if_revisions={current.revision})
    return (
        service()
        .commands.sub_users.change(current.account_id, current.sub_user_id, command, visitor().command_context)
        .value
    )


def _message_key(current: SubUserDetails, updated: SubUserDetails, changes: dict[str, Any]) -> str:
    """Return the key of the message about the change."""
    if updated.status != current.status:
        return "sub_users.activated" if updated.status == "active" else "sub_users.deactivated"
    if "email" in changes:
        return "sub_users.new_email" if updated.status == "active" else "sub_users.new_email_waits"
    if "password" in changes:
        return "sub_users.new_password" if updated.status == "active" else "sub_users.new_password_waits"
    return "sub_users.saved"


def _form(
    form: Form, sub_user: SubUserDetails, status: HTTPStatus = HTTPStatus.OK, wait: Wait | None = None
) -> Response:
    zone = form_zone(form)
    response = render_page(
        "sub_user_form.html",
        status,
        active="sub_users",
        form=form,
        sub_user=sub_user,
        revision=form_revision(form) if form.values else sub_user.revision,
        zone=zone,
        expiry=to_form_value(sub_user.access_expires_at, zone),
        options=expiry_options(zone),
        base={field: form.values.get(BASE + field, value) for field, value in base_values(sub_user, zone).items()},
        back=return_url(),
        not_activated=request.args.get("why") == "not-activated",
        wait=wait,
    )
    response.headers.update(wait.headers if wait else {})
    return response
