"""What the pages of sub-users share: input values, time zone, revision, lookup, and the page to return to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from flask import redirect, request, url_for

from api.console.current_user import visitor
from api.console.flash import flash_message
from api.console.pages import t, visitor_time_zone
from api.console.sub_users.expiry import parse_expiry
from api.http.authentication import service
from api.presentation import times
from api.presentation.full_name import full_name
from domain.sub_user import CredentialsKind, has_passed
from projections.sub_users.queries import SubUserFilter

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from flask import Response
    from marshmallow import Schema

    from api.console.forms import Form
    from application.commands.resources import SubUserDetails

RETURN_URL = re.compile(r"/sub-users(\?[^\s#\\]{0,2000}|/[0-9a-f-]{36})?")
"""URLs of the list and of a sub-user's page. Visitors are sent to no other place."""

SEARCH_LIMIT = 10
"""Enough: a complete e-mail hardly ever matches more than one sub-user."""

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
    expiry = parse_expiry(form, zone)
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
    return parse_revision(form["revision"])


def parse_revision(text: str) -> int:
    """Return the revision in a text, or -1 (matches no revision) if there is none."""
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


def find_by_email(email: str) -> SubUserDetails | None:
    """Return the sub-user of the visitor's account with an e-mail, if any."""
    page = service().queries.sub_users.list(visitor().account_id, SubUserFilter(q=email), SEARCH_LIMIT, None)
    return next((sub_user for sub_user in page.items if sub_user.email.casefold() == email.casefold()), None)


def add_email_error(form: Form, current: SubUserDetails | None = None) -> None:
    """Add the error of an e-mail that another sub-user has, so that a form shows all of its errors at once."""
    holder = find_by_email(form["email"]) if form["email"] and "email" not in form.errors else None
    if holder is not None and (current is None or holder.sub_user_id != current.sub_user_id):
        form.errors["email"] = t("sub_user_form.email_taken")


def return_url() -> str:
    """Return the page that the visitor came from: the list with its filters, or a sub-user's page."""
    url = request.values.get("back", "")
    return url if RETURN_URL.fullmatch(url) else url_for("console.sub_users")


def list_url() -> str:
    """Return the list that the visitor came from, with its filters."""
    url = return_url()
    return url if "/" not in url.removeprefix("/") else url_for("console.sub_users")


def redirect_back(
    message: str, message_values: dict[str, Any] | None = None, *, is_done: bool = True, next_url: str | None = None
) -> Response:
    """Redirect to the page that the visitor came from, with a message. htmx takes the changed row from that page."""
    flash_message(message, message_values, is_done=is_done, next_url=next_url)
    return cast("Response", redirect(return_url(), HTTPStatus.SEE_OTHER.value))
