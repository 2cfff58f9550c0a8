"""Adding a sub-user, and activating them in the same go where that is wanted."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.forms import Form
from api.console.pages import go, say, show, site
from api.console.sub_user_form import about, form_zone, has_expired, stored, typed
from api.console.visitors import OWNER, visitor
from api.http.doors import service
from api.http.schemas import NewSubUser
from application.errors import InvalidValue, ServiceError
from application.sub_users import SubUserChanges
from domain.refusals import Refusal, RevisionMismatch, SubUserEmailTaken, SubUserLimitReached
from projections.sub_user_queries import SubUserFilter

if TYPE_CHECKING:
    from flask import Response

    from api.console.sub_user_form import Typed
    from application.resources import SubUserDetails

NEW = NewSubUser()

SENT_TWICE = timedelta(minutes=1)
"""Within so much time the same form is the same button pressed twice."""

UNTOUCHED = 1
"""The revision of a sub-user whom nobody has changed since they were added."""

FOUND = 10
"""Sub-users whose names or e-mails contain a whole e-mail: hardly ever more than the one."""


@site.page("/sub-users/new", to=OWNER)
def new_sub_user() -> Response:
    """Show the empty form, or why there cannot be another sub-user."""
    account = visitor().account
    full = account.sub_user_count >= account.sub_user_limit
    return _form(Form(), HTTPStatus.CONFLICT if full else HTTPStatus.OK, full=full)


@site.page("/sub-users/new", to=OWNER, methods=("POST",))
def add_sub_user() -> Response:
    """Add a sub-user; where that is wanted, activate them in a second step, which may fail alone."""
    form = Form.sent()
    new = typed(form, NEW)
    if new is None:
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        one = _create(new)
    except InvalidValue as error:
        form.take_in(error)
        return _form(form, HTTPStatus.UNPROCESSABLE_ENTITY)
    except SubUserEmailTaken:
        form.errors["email"] = say("sub_user_form.email_taken")
        return _form(form, HTTPStatus.CONFLICT)
    except SubUserLimitReached:
        return _form(form, HTTPStatus.CONFLICT, full=True)
    if not form.is_checked("active"):
        return go("sub_users", told=_sentence(one), about=about(one))
    return _activate(one)


def _create(new: Typed) -> SubUserDetails:
    """Return the sub-user that was added, by this form or by the same one a moment ago. Raises refusals."""
    try:
        return (
            service()
            .sub_users.create(
                visitor().account_id,
                visitor().origin,
                email=new.email or "",
                name=new.name,
                surname=new.surname,
                password=new.password,
                visible=new.visible,
                access_expires_at=new.access_expires_at,
            )
            .value
        )
    except SubUserEmailTaken:
        made = _made_just_now(new)
        if made is None:
            raise
        return made


def _made_just_now(new: Typed) -> SubUserDetails | None:
    """Return the sub-user whom the same form made when its button was pressed before."""
    wanted = SubUserFilter(q=new.email or "")
    found = service().sub_user_queries.list(visitor().account_id, wanted, FOUND, None)
    since = service().clock() - SENT_TWICE
    return next((one for one in found.items if one.created_at >= since and _is_same(one, new)), None)


def _is_same(one: SubUserDetails, new: Typed) -> bool:
    shown = (one.email, one.name, one.surname, one.visible, one.access_expires_at)
    return shown == (new.email, new.name, new.surname, new.visible, new.access_expires_at)


def _activate(one: SubUserDetails) -> Response:
    """Activate a sub-user who has just been added; one who was changed since is left alone."""
    changes = SubUserChanges(active=True, if_revision=UNTOUCHED)
    try:
        after = service().sub_users.change(one.account_id, one.sub_user_id, changes, visitor().origin).value
    except RevisionMismatch:
        after = stored(one.sub_user_id)
    except (Refusal, ServiceError):
        return go("edit_sub_user", sub_user_id=one.sub_user_id, why="not-activated")
    return go("sub_users", told=_sentence(after), about=about(after))


def _sentence(one: SubUserDetails) -> str:
    """Return the key of the sentence that tells what became of a new sub-user."""
    if one.status != "active":
        return "sub_users.added" if one.revision == UNTOUCHED else "sub_users.changed_meanwhile"
    expired = has_expired(one, service().clock())
    return "sub_users.activated_but_expired" if expired else "sub_users.added_and_activated"


def _form(form: Form, status: HTTPStatus = HTTPStatus.OK, *, full: bool = False) -> Response:
    return show("sub_user_form.html", status, active="sub_users", form=form, full=full, zone=form_zone(form))
