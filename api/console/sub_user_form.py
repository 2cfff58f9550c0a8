"""What the forms about one sub-user share: what was typed into them, and whom they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api.console import times
from api.console.pages import visitor_time_zone
from api.console.visitors import visitor
from api.http.doors import service

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from marshmallow import Schema

    from api.console.forms import Form
    from application.resources import SubUserDetails

NO_TIME = "must be a time such as 2026-05-01T00:00:00Z"
"""The reason as the HTTP interface words it; the form says it in other words."""

LONGEST_REVISION = 18
"""Digits: far more than there will ever be, and few enough for any database."""


@dataclass(frozen=True)
class Typed:
    """What was typed, checked. `zone` is the time zone that the form showed its moments in.

    Only the form of a new sub-user asks for an e-mail; no password leaves it to the service, or as it is.
    """

    email: str | None = field(repr=False)
    name: str = field(repr=False)
    surname: str = field(repr=False)
    password: str | None = field(repr=False)
    visible: bool
    access_expires_at: datetime | None
    zone: ZoneInfo

    def means_other_expiry(self, stored: datetime | None) -> bool:
        """Say whether another moment was typed; a form shows no seconds, so these do not count."""
        return times.in_form(stored, self.zone) != times.in_form(self.access_expires_at, self.zone)


def typed(form: Form, schema: Schema) -> Typed | None:
    """Return what was typed, checked by the schema of a new or a changed sub-user; None if the form was refused."""
    zone = form_zone(form)
    values: dict[str, Any] = {name: form[name] for name in ("email", "name", "surname") if name in schema.fields}
    if password := form.as_typed("password"):
        values["password"] = password
    checked = form.checked_by(schema, values)
    expiry = _expiry(form, zone)
    if form.errors:
        return None
    return Typed(
        email=checked.get("email"),
        name=checked["name"],
        surname=checked["surname"],
        password=checked.get("password"),
        visible=form.is_checked("visible"),
        access_expires_at=expiry,
        zone=zone,
    )


def form_zone(form: Form) -> ZoneInfo:
    """Return the time zone of a form's moments: that of the page it stood on, whatever the browser tells since."""
    return times.time_zone(form["time_zone"]) if "time_zone" in form.values else visitor_time_zone()


def form_revision(form: Form) -> int:
    """Return the revision that a form was opened for; one that there never is where it does not say."""
    text = form["revision"]
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_REVISION else -1


def stored(sub_user_id: UUID) -> SubUserDetails:
    """Return a sub-user of the visitor's account as they are now. Raises `SubUserNotFound`."""
    return service().sub_user_queries.sub_user(visitor().account_id, sub_user_id)


def full_name(one: SubUserDetails) -> str:
    """Return what a sub-user is called."""
    return f"{one.name} {one.surname}"


def about(one: SubUserDetails) -> dict[str, str]:
    """Return what sentences about a sub-user have in them."""
    return {"person": full_name(one), "email": one.email}


def has_expired(one: SubUserDetails, now: datetime) -> bool:
    """Say whether a sub-user's access has run out."""
    return one.access_expires_at is not None and one.access_expires_at <= now


def _expiry(form: Form, zone: ZoneInfo) -> datetime | None:
    try:
        return times.from_form(form["access_expires_at"], zone)
    except ValueError:
        form.refuse("access_expires_at", NO_TIME)
        return None
