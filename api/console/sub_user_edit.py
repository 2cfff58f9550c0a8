"""Editing a sub-user. What somebody else changed meanwhile is never overwritten unseen."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request

from api.console.forms import Form
from api.console.pages import go, show, site
from api.console.sub_user_conflict import conflict_page
from api.console.sub_user_form import about, form_revision, form_zone, has_expired, stored, typed
from api.console.times import in_form
from api.console.visitors import OWNER, visitor
from api.http.doors import service
from api.http.schemas import SubUserPatch
from application.errors import InvalidValue
from application.sub_users import SubUserChanges
from domain.refusals import RevisionMismatch

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from flask import Response

    from api.console.sub_user_form import Typed
    from application.resources import SubUserDetails

PATCH = SubUserPatch()


@site.page("/sub-users/<uuid:sub_user_id>/edit", to=OWNER)
def edit_sub_user(sub_user_id: UUID) -> Response:
    """Show the form with what is stored."""
    return _form(Form(), stored(sub_user_id))


@site.page("/sub-users/<uuid:sub_user_id>/edit", to=OWNER, methods=("POST",))
def save_sub_user(sub_user_id: UUID) -> Response:
    """Save what was changed in the form, if nobody else has changed anything since it was opened."""
    form = Form.sent()
    before = stored(sub_user_id)
    wanted = typed(form, PATCH)
    if wanted is None:
        return _form(form, before, HTTPStatus.UNPROCESSABLE_ENTITY)
    changes = _changes(wanted, before, active=form.is_checked("active"))
    if not changes:
        return go("sub_users", told="sub_users.unchanged")
    if form_revision(form) != before.revision:
        return conflict_page(form, wanted, before)
    try:
        after = _change(before, changes)
    except InvalidValue as error:
        form.take_in(error)
        return _form(form, before, HTTPStatus.UNPROCESSABLE_ENTITY)
    except RevisionMismatch:
        return conflict_page(form, wanted, stored(sub_user_id))
    return go("sub_users", told=_sentence(before, after, changes, service().clock()), about=about(after))


def _changes(wanted: Typed, before: SubUserDetails, *, active: bool) -> dict[str, Any]:
    """Return what differs from what is stored, as `SubUserChanges` takes it."""
    changes: dict[str, Any] = {
        name: getattr(wanted, name)
        for name in ("name", "surname", "visible")
        if getattr(wanted, name) != getattr(before, name)
    }
    if wanted.password is not None:
        changes["password"] = wanted.password
    if active != (before.status == "active"):
        changes["active"] = active
    if wanted.means_other_expiry(before.access_expires_at):
        changes |= {"expiry_given": True, "access_expires_at": wanted.access_expires_at}
    return changes


def _change(before: SubUserDetails, changes: dict[str, Any]) -> SubUserDetails:
    asked = SubUserChanges(**changes, if_revision=before.revision)
    return service().sub_users.change(before.account_id, before.sub_user_id, asked, visitor().origin).value


def _sentence(before: SubUserDetails, after: SubUserDetails, changes: dict[str, Any], now: datetime) -> str:
    """Return the key of the sentence that tells what came of a change."""
    expired = has_expired(after, now)
    if after.status != before.status:
        if after.status == "inactive":
            return "sub_users.deactivated"
        return "sub_users.activated_but_expired" if expired else "sub_users.activated"
    if "password" in changes:
        return _sentence_of_password(after, expired=expired)
    return "sub_users.saved_and_expired" if expired and "expiry_given" in changes else "sub_users.saved"


def _sentence_of_password(after: SubUserDetails, *, expired: bool) -> str:
    if after.status != "active":
        return "sub_users.new_password_waits"
    return "sub_users.new_password_but_expired" if expired else "sub_users.new_password"


def _form(form: Form, one: SubUserDetails, status: HTTPStatus = HTTPStatus.OK) -> Response:
    zone = form_zone(form)
    return show(
        "sub_user_form.html",
        status,
        active="sub_users",
        form=form,
        one=one,
        revision=form_revision(form) if form.values else one.revision,
        zone=zone,
        expiry=in_form(one.access_expires_at, zone),
        not_activated=request.args.get("why") == "not-activated",
    )
