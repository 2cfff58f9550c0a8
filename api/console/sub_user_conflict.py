"""Two versions of a sub-user side by side: what somebody else stored meanwhile, and what the visitor typed."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.pages import say, show, when

if TYPE_CHECKING:
    from datetime import datetime

    from flask import Response

    from api.console.forms import Form
    from api.console.sub_user_form import Typed
    from application.resources import SubUserDetails


@dataclass(frozen=True)
class Difference:
    """One thing in both versions, as it is shown; `label` is the key of what it is called."""

    label: str
    stored: str
    typed: str
    differs: bool


def conflict_page(form: Form, wanted: Typed, now: SubUserDetails) -> Response:
    """Return the page on which the visitor chooses between the versions."""
    return show(
        "sub_user_conflict.html",
        HTTPStatus.CONFLICT,
        active="sub_users",
        form=form,
        one=now,
        rows=_rows(wanted, now, active=form.is_checked("active")),
        zone=wanted.zone,
        had_password=wanted.password is not None,
    )


def _rows(wanted: Typed, now: SubUserDetails, *, active: bool) -> list[Difference]:
    is_active = now.status == "active"
    return [
        Difference("name", now.name, wanted.name, now.name != wanted.name),
        Difference("surname", now.surname, wanted.surname, now.surname != wanted.surname),
        Difference("visibility", _visibility(now.visible), _visibility(wanted.visible), now.visible != wanted.visible),
        Difference("status", _status(is_active), _status(active), is_active != active),
        Difference(
            "expires",
            _expiry(now.access_expires_at),
            _expiry(wanted.access_expires_at),
            wanted.means_other_expiry(now.access_expires_at),
        ),
    ]


def _visibility(visible: bool) -> str:  # noqa: FBT001  # it is the value itself
    return say("sub_users.visible" if visible else "sub_users.hidden")


def _status(active: bool) -> str:  # noqa: FBT001  # it is the value itself
    return say("sub_users.active" if active else "sub_users.inactive")


def _expiry(moment: datetime | None) -> str:
    return say("sub_users.never") if moment is None else when(moment)
