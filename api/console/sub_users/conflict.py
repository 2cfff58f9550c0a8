"""Conflict page: the stored and the submitted version of a sub-user, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.pages import render_page, t, time_tag

if TYPE_CHECKING:
    from datetime import datetime

    from flask import Response

    from api.console.forms import Form
    from api.console.sub_users.form import SubUserValues
    from application.commands.resources import SubUserDetails


@dataclass(frozen=True)
class ComparedField:
    """A field in both versions, formatted for the page. `label` is a key below `sub_user_conflict`."""

    label: str
    stored: str
    submitted: str
    differs: bool


def conflict_page(form: Form, submitted: SubUserValues, current: SubUserDetails) -> Response:
    """Return the page that asks the visitor to choose one of the versions."""
    return render_page(
        "sub_user_conflict.html",
        HTTPStatus.CONFLICT,
        active="sub_users",
        form=form,
        sub_user=current,
        rows=_compare(submitted, current, active=form.is_checked("active")),
        zone=submitted.zone,
        had_password=submitted.password is not None,
    )


def _compare(submitted: SubUserValues, current: SubUserDetails, *, active: bool) -> list[ComparedField]:
    is_active = current.status == "active"
    return [
        ComparedField("email", current.email, submitted.email, submitted.changes_email(current.email)),
        ComparedField("name", current.name, submitted.name, current.name != submitted.name),
        ComparedField("surname", current.surname, submitted.surname, current.surname != submitted.surname),
        ComparedField(
            "visibility",
            _visibility(current.visible),
            _visibility(submitted.visible),
            current.visible != submitted.visible,
        ),
        ComparedField("status", _status(is_active), _status(active), is_active != active),
        ComparedField(
            "expires",
            _expiry(current.access_expires_at),
            _expiry(submitted.access_expires_at),
            submitted.changes_expiry(current.access_expires_at),
        ),
    ]


def _visibility(visible: bool) -> str:  # noqa: FBT001  # the flag is the value to format
    return t("sub_users.visible" if visible else "sub_users.hidden")


def _status(active: bool) -> str:  # noqa: FBT001  # the flag is the value to format
    return t("sub_users.active" if active else "sub_users.inactive")


def _expiry(moment: datetime | None) -> str:
    return t("sub_users.never") if moment is None else time_tag(moment)
