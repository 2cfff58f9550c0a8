"""Helpers shared by the forms for one sub-user: input values, time zone, revision and lookup."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api.console.current_user import visitor
from api.console.pages import t, visitor_time_zone
from api.http.authentication import service
from api.presentation import times
from api.presentation.full_name import full_name
from domain.sub_user import CredentialsKind, has_passed

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from marshmallow import Schema

    from api.console.forms import Form
    from application.commands.resources import SubUserDetails

INVALID_TIME = "must be a time such as 2026-05-01T00:00:00Z"
"""The HTTP API's error message. `Form` translates it for the page."""

MAX_REVISION_DIGITS = 18
"""Far more digits than any revision has, and few enough to fit a PostgreSQL bigint."""


@dataclass(frozen=True)
class SubUserValues:
    """Validated values of a sub-user form. `zone` is the time zone of its date fields.

    Without a password, the service generates one for a new sub-user. An existing sub-user keeps theirs, unless another
    change needs a new one. `by_link` mails a link instead of a password, if anything is mailed.
    """

    email: str = field(repr=False)
    name: str = field(repr=False)
    surname: str = field(repr=False)
    password: str | None = field(repr=False)
    visible: bool
    by_link: bool
    access_expires_at: datetime | None
    zone: ZoneInfo

    @property
    def credentials_kind(self) -> CredentialsKind:
        """What a credentials mail contains that the form causes."""
        return CredentialsKind.LINK if self.by_link else CredentialsKind.PASSWORD

    def changes_email(self, current: str) -> bool:
        """Return whether the e-mail differs from the current one in more than its spelling."""
        return self.email.casefold() != current.casefold()

    def changes_expiry(self, current: datetime | None) -> bool:
        """Return whether the expiry differs from the current one, to the minute, because forms show no seconds."""
        return times.to_form_value(current, self.zone) != times.to_form_value(self.access_expires_at, self.zone)


def parse_sub_user(form: Form, schema: Schema) -> SubUserValues | None:
    """Return the form's values, validated by the schema of a new or a changed sub-user; None if there are errors."""
    zone = form_zone(form)
    values: dict[str, Any] = {name: form[name] for name in ("email", "name", "surname")}
    if password := form.raw("password"):
        values["password"] = password
    loaded = form.load_with(schema, values)
    expiry = parse_time(form, "access_expires_at", zone)
    if password and form.is_checked("by_link"):
        form.errors["by_link"] = t("sub_user_form.link_or_password")
    if form.errors:
        return None
    return SubUserValues(
        email=loaded["email"],
        name=loaded["name"],
        surname=loaded["surname"],
        password=loaded.get("password"),
        visible=form.is_checked("visible"),
        by_link=form.is_checked("by_link"),
        access_expires_at=expiry,
        zone=zone,
    )


def form_zone(form: Form) -> ZoneInfo:
    """Return the time zone in which the form was shown, even if the visitor's time zone has changed since."""
    return times.time_zone(form["time_zone"]) if "time_zone" in form.values else visitor_time_zone()


def form_revision(form: Form) -> int:
    """Return the revision that the form was opened with, or -1 (matches no revision) if it has none."""
    text = form["revision"]
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_REVISION_DIGITS else -1


def find_sub_user(sub_user_id: UUID) -> SubUserDetails:
    """Return the current state of a sub-user of the visitor's account. Raises `SubUserNotFound`."""
    return service().queries.sub_users.sub_user(visitor().account_id, sub_user_id)


def message_values(sub_user: SubUserDetails) -> dict[str, str]:
    """Return the placeholder values for messages about a sub-user."""
    return {"person": full_name(sub_user), "email": sub_user.email}


def has_expired(sub_user: SubUserDetails, now: datetime) -> bool:
    """Return whether a sub-user's access has expired."""
    return has_passed(sub_user.access_expires_at, now)


def has_expired_password(sub_user: SubUserDetails, now: datetime) -> bool:
    """Return whether a sub-user's temporary password has expired, so that they need new credentials."""
    return has_passed(sub_user.temporary_password_expires_at, now)


def parse_time(form: Form, name: str, zone: ZoneInfo) -> datetime | None:
    """Return the value of a date field, None if it is empty or not a time. The latter adds an error to the form."""
    try:
        return times.parse_form_value(form[name], zone)
    except ValueError:
        form.add_field_error(name, INVALID_TIME)
        return None
