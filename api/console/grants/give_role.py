"""Page that gives a sub-user a role: on everything, or on single resources."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import UUID

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to, render_page, t
from api.console.roles.role_texts import capitalized, resource_type_label, resource_types, role_name
from api.console.sub_users.expiry import parse_time
from api.console.sub_users.form import find_sub_user, form_zone
from api.http.authentication import service
from api.http.resources.roles import schemas
from api.presentation.full_name import full_name
from application.commands.access_control import NewGrant
from application.errors import InvalidValue
from domain.refusals import GrantLimitReached
from domain.roles import MAX_GRANTS, OPERATOR, Resource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from flask import Response

    from application.commands.resources import SubUserDetails

REASON = schemas.NewRoleGrant(only=("reason",))

EVERYTHING, ONLY_THESE = "everything", "only_these"
FIRST_LINES, MORE_LINES, MAX_LINES = 3, 5, 53
"""Lines for resources: in the empty form, those that the button adds, and the most that a form has."""


class ResourceLine(schemas.LabelledResource):
    """A line of the form: id and name of a resource. All lines have the same type."""

    class Meta:
        exclude = ("type",)


LINE = ResourceLine()


@dataclass(frozen=True)
class GrantValues:
    """Validated values of the form: the same role on everything, or on each of the resources."""

    grants: Sequence[NewGrant]
    role: str
    reason: str | None = field(repr=False)
    replaces_others: bool


@blueprint.page("/sub-users/<uuid:sub_user_id>/roles/new", audiences=OWNER)
def new_grant(sub_user_id: UUID) -> Response:
    """Show the empty form."""
    return _form(Form(), find_sub_user(sub_user_id))


@blueprint.page("/sub-users/<uuid:sub_user_id>/roles/new", audiences=OWNER, methods=("POST",))
def give_role(sub_user_id: UUID) -> Response:
    """Give the role, all of its grants or none, or show the form with more lines for resources."""
    form = Form.from_request()
    sub_user = find_sub_user(sub_user_id)
    if form.is_checked("more"):
        return _form(form, sub_user, lines=_line_count(form) + MORE_LINES)
    values = _parse(form)
    if values is None:
        return _form(form, sub_user, HTTPStatus.UNPROCESSABLE_ENTITY)
    grants = service().commands.grants
    give = grants.replace if values.replaces_others else grants.add
    context = replace(visitor().command_context, reason=values.reason)
    try:
        outcome = give(sub_user.account_id, sub_user_id, values.grants, context)
    except InvalidValue as error:
        *_, name = error.field.split(".")
        form.add_field_error("resource_type" if name == "type" else name, error.reason)
        return _form(form, sub_user, HTTPStatus.UNPROCESSABLE_ENTITY)
    except GrantLimitReached:
        return _form(form, sub_user, HTTPStatus.CONFLICT, is_full=True)
    message = "grants.replaced" if values.replaces_others else "grants.given_now"
    return redirect_to(
        "sub_user",
        message="grants.already_given" if outcome.position is None else message,
        message_values={"person": full_name(sub_user), "role": values.role},
        sub_user_id=sub_user_id,
    )


def _parse(form: Form) -> GrantValues | None:
    """Return the form's values; None if there are errors."""
    names = {str(role.role_id): role_name(role) for role in service().commands.roles.list(visitor().account_id)}
    role_id = form["role_id"]
    if role_id not in names:
        form.errors["role_id"] = t("grant_form.choose_role")
    reason = form.load_with(REASON, {"reason": form["reason"] or None}).get("reason")
    expires_at = parse_time(form, "expires_at", form_zone(form))
    resources = _parse_scope(form)
    if form.errors:
        return None
    grants = [_new_grant(UUID(role_id), resource, expires_at) for resource in resources]
    return GrantValues(grants, names[role_id], reason, form.is_checked("replaces"))


def _new_grant(role_id: UUID, resource: dict[str, str] | None, expires_at: datetime | None) -> NewGrant:
    if resource is None:
        return NewGrant(role_id, expires_at=expires_at)
    return NewGrant(role_id, Resource(resource["type"], resource["id"]), resource["label"], expires_at)


def _parse_scope(form: Form) -> list[dict[str, str] | None]:
    """Return the resources, or only None for everything.

    Filled lines with the choice "Everything" are refused: the person would get more than the lines say.
    """
    filled = [
        line for line in range(_line_count(form)) if form[f"resource_id_{line}"] or form[f"resource_label_{line}"]
    ]
    match form["scope"]:
        case "everything":
            if filled:
                form.errors["scope"] = t("grant_form.resources_with_everything")
            return [None]
        case "only_these":
            if form["resource_type"] not in resource_types(service().commands.catalogues.current()):
                form.errors["resource_type"] = t("grant_form.choose_type")
            return [_parse_line(form, line) for line in filled or [0]]
        case _:
            form.errors["scope"] = t("grant_form.choose_scope")
            return []


def _parse_line(form: Form, line: int) -> dict[str, str]:
    """Return the resource in a line. If it has errors, they are added to the form."""
    values = {"label": form[f"resource_label_{line}"] or None}
    if form[f"resource_id_{line}"]:
        values["id"] = form[f"resource_id_{line}"]
    of_line = Form()
    loaded = of_line.load_with(LINE, values)
    form.errors |= {f"resource_{name}_{line}": message for name, message in of_line.errors.items()}
    if loaded.get("id") in [form[f"resource_id_{other}"] for other in range(line)]:
        form.errors[f"resource_id_{line}"] = t("grant_form.id_twice")
    return {"type": form["resource_type"], **loaded}


def _line_count(form: Form) -> int:
    """Return the number of lines in the form that was sent."""
    return max([FIRST_LINES, *(line + 1 for line in range(MAX_LINES) if f"resource_id_{line}" in form.values)])


def _form(
    form: Form,
    sub_user: SubUserDetails,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    lines: int | None = None,
    is_full: bool = False,
) -> Response:
    commands = service().commands
    types = resource_types(commands.catalogues.current())
    return render_page(
        "grant_form.html",
        status,
        active="sub_users",
        form=form,
        sub_user=sub_user,
        person=full_name(sub_user),
        roles=[(str(role.role_id), role_name(role)) for role in commands.roles.list(sub_user.account_id)],
        types=[(resource_type, capitalized(resource_type_label(resource_type))) for resource_type in types],
        lines=min(MAX_LINES, lines or _line_count(form)),
        max_lines=MAX_LINES,
        zone=form_zone(form),
        has_operator=_has_operator(sub_user),
        is_full=is_full,
        limit=MAX_GRANTS,
    )


def _has_operator(sub_user: SubUserDetails) -> bool:
    """Return whether the sub-user has the role Operator on everything for good, as a new one has."""
    grants = service().commands.grants.list(sub_user.account_id, sub_user.sub_user_id)
    return any(grant.role_id == OPERATOR and grant.resource is None and grant.expires_at is None for grant in grants)
