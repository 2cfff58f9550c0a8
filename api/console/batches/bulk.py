"""One action for several sub-users: a confirmation of what will happen, then the result for each of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import UUID

from flask import request, url_for

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to_url, render_page, t, visitor_language, visitor_time_zone
from api.console.sub_users.expiry import expiry_options, parse_expiry
from api.console.sub_users.form import form_zone, has_expired, list_url, parse_revision, redirect_back
from api.http.authentication import service
from api.http.schemas import MAX_PAGE_SIZE
from api.presentation.times import format_date_and_time
from application.commands.sub_users import SubUserChanges
from application.errors import ServiceError, StoreUnavailable
from domain.mails import MAILS_PER_ACCOUNT
from domain.refusals import AccessExpired, Refusal, RevisionMismatch, SubUserNotFound, TooManyMails
from domain.sub_user import has_passed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from flask import Response

    from application.commands.resources import SubUserDetails

MAX_SECONDS = 4.0
"""Time for one request: half of its deadline. The visitor continues with those who are left."""


TEXT_BY_ERROR: Mapping[type[Exception], str] = {
    RevisionMismatch: "bulk.has_changed",
    SubUserNotFound: "bulk.is_gone",
    AccessExpired: "bulk.has_expired",
    TooManyMails: "bulk.too_many_mails",
}


class BulkAction(StrEnum):
    """What can be done to several sub-users at once."""

    DEACTIVATE = "deactivate"
    ACTIVATE = "activate"
    EXPIRY = "expiry"
    DELETE = "delete"


@dataclass(frozen=True)
class Row:
    """A sub-user in the confirmation or in the result, with what will happen or has happened.

    `is_unknown` if the database could not be reached, so that it may have happened or not.
    """

    sub_user: SubUserDetails
    text: str
    is_affected: bool
    is_unknown: bool = False


@blueprint.page("/sub-users/chosen", audiences=OWNER)
def chosen_sub_users() -> Response:
    """Redirect to the list, where people are chosen."""
    return redirect_to_url(url_for("console.sub_users"))


@blueprint.page("/sub-users/chosen", audiences=OWNER, methods=("POST",))
def confirm_bulk_action() -> Response:
    """Show what the action does to each of the chosen people."""
    sub_users, action = _chosen(), request.form.get("action", "")
    if not sub_users or action not in set(BulkAction):
        return redirect_back("bulk.nobody_chosen", is_done=False)
    return _confirmation(Form(), BulkAction(action), sub_users)


@blueprint.page("/sub-users/chosen/run", audiences=OWNER, methods=("POST",))
def run_bulk_action() -> Response:
    """Run the action for one person after the other. A refusal for one does not stop it for the others."""
    form, sub_users = Form.from_request(), _chosen()
    if form["action"] not in set(BulkAction):
        return redirect_back("bulk.nobody_chosen", is_done=False)
    action = BulkAction(form["action"])
    expires_at = parse_expiry(form, form_zone(form)) if action == BulkAction.EXPIRY else None
    if has_passed(expires_at, service().clock()):
        form.errors["access_expires_at"] = t("sub_user_form.expiry_has_passed")
    if form.errors:
        return _confirmation(form, action, sub_users, HTTPStatus.UNPROCESSABLE_ENTITY)
    stops_at = time.monotonic() + MAX_SECONDS
    rows: list[Row] = []
    while len(rows) < len(sub_users) and (not rows or time.monotonic() < stops_at):
        rows.append(_run(action, sub_users[len(rows)], expires_at))
    return render_page(
        "sub_user_bulk_result.html",
        active="sub_users",
        action=action,
        rows=rows,
        done_count=sum(row.is_affected for row in rows),
        gone_count=len(_chosen_ids()) - len(sub_users),
        left=sub_users[len(rows) :],
        form=form,
        back=list_url(),
    )


def _chosen_ids() -> Sequence[UUID]:
    return list(dict.fromkeys(request.form.getlist("id", type=UUID)))[:MAX_PAGE_SIZE]


def _chosen() -> Sequence[SubUserDetails]:
    return service().queries.sub_users.chosen(visitor().account_id, _chosen_ids())


def _confirmation(
    form: Form, action: BulkAction, sub_users: Sequence[SubUserDetails], status: HTTPStatus = HTTPStatus.OK
) -> Response:
    zone, now = form_zone(form), service().clock()
    rows = [_outlook(action, sub_user, now) for sub_user in sub_users]
    return render_page(
        "sub_user_bulk.html",
        status,
        active="sub_users",
        form=form,
        action=action,
        rows=rows,
        affected_count=sum(row.is_affected for row in rows),
        mail_limit=MAILS_PER_ACCOUNT,
        options=expiry_options(zone),
        zone=zone,
        back=list_url(),
    )


def _outlook(action: BulkAction, sub_user: SubUserDetails, now: datetime) -> Row:
    """Return what the action will do to a sub-user as they are now."""
    is_active = sub_user.status == "active"
    match action:
        case BulkAction.DEACTIVATE:
            return Row(sub_user, t("bulk.loses_access" if is_active else "bulk.is_inactive"), is_active)
        case BulkAction.ACTIVATE if not is_active and has_expired(sub_user, now):
            return Row(sub_user, t("bulk.has_expired"), is_affected=False)
        case BulkAction.ACTIVATE:
            return Row(sub_user, t("bulk.is_active" if is_active else "bulk.is_mailed"), not is_active)
        case BulkAction.EXPIRY:
            return Row(sub_user, _end_text(sub_user.access_expires_at), is_affected=True)
        case BulkAction.DELETE:
            return Row(sub_user, t("bulk.is_deleted"), is_affected=True)


def _run(action: BulkAction, sub_user: SubUserDetails, expires_at: datetime | None) -> Row:
    """Run the action for one person, and return the result."""
    try:
        return _execute(action, sub_user, expires_at)
    except StoreUnavailable:  # the connection can be lost after the commit
        return Row(sub_user, t("bulk.unknown"), is_affected=False, is_unknown=True)
    except (Refusal, ServiceError) as error:
        return Row(sub_user, t(TEXT_BY_ERROR.get(type(error), "bulk.failed")), is_affected=False)


def _execute(action: BulkAction, sub_user: SubUserDetails, expires_at: datetime | None) -> Row:
    revisions = {parse_revision(request.form.get(f"revision-{sub_user.sub_user_id}", ""))}
    is_active = sub_user.status == "active"
    match action:
        case BulkAction.DEACTIVATE if not is_active:
            return Row(sub_user, t("bulk.is_inactive"), is_affected=False)
        case BulkAction.ACTIVATE if is_active:
            return Row(sub_user, t("bulk.is_active"), is_affected=False)
        case BulkAction.DEACTIVATE:  # at any revision: nobody keeps access by changing their password
            return _change(sub_user, SubUserChanges(active=False), t("bulk.lost_access"))
        case BulkAction.ACTIVATE:
            return _change(sub_user, SubUserChanges(active=True, if_revisions=revisions), t("bulk.was_mailed"))
        case BulkAction.EXPIRY:
            changes = SubUserChanges(changes_expiry=True, access_expires_at=expires_at, if_revisions=revisions)
            return _change(sub_user, changes, _end_text(expires_at))
        case BulkAction.DELETE:
            service().commands.sub_users.delete(
                sub_user.account_id, sub_user.sub_user_id, visitor().command_context, if_revisions=revisions
            )
            return Row(sub_user, t("bulk.was_deleted"), is_affected=True)


def _change(sub_user: SubUserDetails, changes: SubUserChanges, text: str) -> Row:
    service().commands.sub_users.change(sub_user.account_id, sub_user.sub_user_id, changes, visitor().command_context)
    return Row(sub_user, text, is_affected=True)


def _end_text(access_expires_at: datetime | None) -> str:
    if access_expires_at is None:
        return t("bulk.no_end")
    return t("bulk.ends", end=format_date_and_time(access_expires_at, visitor_language(), visitor_time_zone()))
