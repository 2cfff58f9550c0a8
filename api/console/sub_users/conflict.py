"""Three-way merge of a form with a sub-user who has changed since the form was opened."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import visitor
from api.console.monitoring.page_event_descriptions import actor
from api.console.pages import render_page, t, visitor_language
from api.console.sub_users.form import form_revision, return_url
from api.http.authentication import service
from api.presentation import times
from api.presentation.event_descriptions import Place
from api.presentation.full_name import full_name
from domain.event_metadata import ActorType
from projections.audit_log.conditions import AuditFilter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from flask import Response

    from api.console.forms import Form
    from api.console.sub_users.form import SubUserValues
    from application.commands.resources import SubUserDetails
    from projections.audit_log.rows import AuditRow

ACTIONS = {
    "email": ("sub_user.email_changed",),
    "name": ("sub_user.details_changed",),
    "surname": ("sub_user.details_changed",),
    "visible": ("sub_user.visibility_changed",),
    "active": ("sub_user.activated", "sub_user.deactivated"),
    "access_expires_at": ("sub_user.access_expiry_set",),
}
"""The fields of the form, and the actions that change them."""

BASE = "base_"
"""Prefix of the hidden fields with the values that the form was opened with."""


@dataclass(frozen=True)
class Version:
    """Three versions of a field, as form values. `base` is None if the form does not have it."""

    field: str
    base: str | None
    stored: str
    submitted: str

    @property
    def is_changed_here(self) -> bool:
        """Whether the visitor has changed the field."""
        return self._differs(self.submitted, self.stored if self.base is None else self.base)

    @property
    def is_changed_elsewhere(self) -> bool:
        """Whether the field has changed since the form was opened."""
        return self.base is None or self._differs(self.stored, self.base)

    @property
    def is_conflict(self) -> bool:
        """Whether the field has changed in two different ways."""
        is_changed_twice = self.is_changed_here and self.is_changed_elsewhere
        return is_changed_twice and self._differs(self.submitted, self.stored)

    def _differs(self, one: str, other: str) -> bool:
        return one.casefold() != other.casefold() if self.field == "email" else one != other


@dataclass(frozen=True)
class ChangedField:
    """A field on the conflict page, formatted. `by` and `at` are those of the change elsewhere, if there is one."""

    version: Version
    base: str
    stored: str
    submitted: str
    by: str | None
    at: datetime | None


def base_values(sub_user: SubUserDetails, zone: ZoneInfo) -> Mapping[str, str]:
    """Return the values of a sub-user as the form has them, for its hidden fields."""
    return {
        "email": sub_user.email,
        "name": sub_user.name,
        "surname": sub_user.surname,
        "visible": _switch(is_on=sub_user.visible),
        "active": _switch(is_on=sub_user.status == "active"),
        "access_expires_at": times.to_form_value(sub_user.access_expires_at, zone),
    }


def versions(form: Form, submitted: SubUserValues, current: SubUserDetails) -> Sequence[Version]:
    """Return the three versions of each field."""
    stored_values = base_values(current, submitted.zone)
    submitted_values = {
        "email": submitted.email,
        "name": submitted.name,
        "surname": submitted.surname,
        "visible": _switch(is_on=submitted.visible),
        "active": _switch(is_on=form.is_checked("active")),
        "access_expires_at": times.to_form_value(submitted.access_expires_at, submitted.zone),
    }
    return [
        Version(field, form.values.get(BASE + field), stored_values[field], submitted_values[field])
        for field in ACTIONS
    ]


def merge(submitted: SubUserValues, current: SubUserDetails, fields: Sequence[Version]) -> SubUserValues:
    """Return the submitted values, with the stored value of each field that the visitor has not changed."""
    unchanged = {version.field for version in fields if not version.is_changed_here} - {"active"}
    return replace(submitted, **{field: getattr(current, field) for field in unchanged})


def conflict_page(form: Form, submitted: SubUserValues, current: SubUserDetails, fields: Sequence[Version]) -> Response:
    """Return the page that tells who changed what, and asks for a choice where both changed the same field."""
    return render_page(
        "sub_user_conflict.html",
        HTTPStatus.CONFLICT,
        active="sub_users",
        form=form,
        sub_user=current,
        person=full_name(current),
        rows=_changed_fields(form, current, fields, submitted.zone),
        merged={version.field: version.submitted if version.is_changed_here else version.stored for version in fields},
        base=base_values(current, submitted.zone),
        zone=submitted.zone,
        had_password=submitted.password is not None,
        back=return_url(),
    )


def _switch(*, is_on: bool) -> str:
    return "on" if is_on else "off"


def _changed_fields(
    form: Form, current: SubUserDetails, fields: Sequence[Version], zone: ZoneInfo
) -> Sequence[ChangedField]:
    row_by_action = _changes_since(form, current)
    changed = []
    for version in fields:
        if not version.is_changed_here and not version.is_changed_elsewhere:
            continue
        rows = [row_by_action[action] for action in ACTIONS[version.field] if action in row_by_action]
        row = max(rows, key=lambda row: row.position) if rows and version.is_changed_elsewhere else None
        base, stored, submitted = (
            _formatted(version.field, value, zone) for value in (version.base, version.stored, version.submitted)
        )
        changed.append(
            ChangedField(
                version, base, stored, submitted, _actor(row) if row else None, row.occurred_at if row else None
            )
        )
    return changed


def _changes_since(form: Form, current: SubUserDetails) -> Mapping[str, AuditRow]:
    """Return the latest change of each kind since the form was opened, by action."""
    actions = tuple(dict.fromkeys(action for actions in ACTIONS.values() for action in actions))
    limit = min(max(1, current.revision - form_revision(form)), len(actions) * 4)
    rows, _ = service().queries.audit_log.page(
        visitor().account_id, AuditFilter(current.sub_user_id, actions), limit, None
    )
    return {row.action: row for row in reversed(rows)}


def _actor(row: AuditRow) -> str:
    """Return who made a change. The portal names the person who acted for the account, if it knows them."""
    if row.actor["type"] == ActorType.MAIN_ACCOUNT:
        return row.actor["person"] or t("sub_user_conflict.your_account")
    return actor(row, Place.FIRST)


def _formatted(field: str, value: str | None, zone: ZoneInfo) -> str:
    match field:
        case "visible":
            return t("sub_users.visible" if value == "on" else "sub_users.hidden")
        case "active":
            return t("sub_users.active" if value == "on" else "sub_users.inactive")
        case "access_expires_at":
            if not value:
                return t("sub_users.never")
            with suppress(ValueError):  # a hidden field that was altered
                moment = datetime.fromisoformat(value)
                return times.format_date_and_time(moment.replace(tzinfo=zone), visitor_language(), zone)
    return value or ""
