"""Pages that add and edit a role: its texts, a matrix of permissions, and what it allows in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to, render_page, t
from api.console.roles.holders import NO_HOLDERS, holders_of
from api.console.roles.role_texts import (
    abilities_in_words,
    capitalized,
    is_name_of_built_in_role,
    permission_label,
    resource_type_label,
    role_in_words,
)
from api.http.authentication import service
from api.http.resources.roles.schemas import NewRole
from application.errors import InvalidValue
from domain.refusals import RoleHasChanged, RoleIsBuiltIn, RoleLimitReached, RoleNameTaken
from domain.roles import MAX_ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from flask import Response

    from application.commands.access_control import RoleDetails
    from domain.permission_catalogue import Permission, PermissionCatalogue

TEXTS = NewRole(exclude=("permissions",))

PREFIX = "permission-"
"""Beginning of the names of checkboxes. The rest is the name of the permission."""


@dataclass(frozen=True)
class RoleValues:
    """Validated values of the form."""

    name: str = field(repr=False)
    description: str = field(repr=False)
    permissions: frozenset[str]


@dataclass(frozen=True)
class MatrixRow:
    """The grantable permissions for one type of resource, or for the account as a whole."""

    heading: str
    reading: Sequence[Permission]
    changing: Sequence[Permission]


@blueprint.page("/roles/new", audiences=OWNER)
def new_role() -> Response:
    """Show the empty form, or a notice that the limit of roles is reached."""
    own_roles = [role for role in service().commands.roles.list(visitor().account_id) if role.built_in is None]
    is_full = len(own_roles) >= MAX_ROLES
    return _form(Form(), status=HTTPStatus.CONFLICT if is_full else HTTPStatus.OK, is_full=is_full)


@blueprint.page("/roles/new", audiences=OWNER, methods=("POST",))
def add_role() -> Response:
    """Add a role, or show the selected permissions in words."""
    form = Form.from_request()
    if form.is_checked("preview"):
        return _form(form)
    values = _parse(form, None)
    if values is None:
        return _form(form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        service().commands.roles.create(
            visitor().account_id,
            visitor().command_context,
            name=values.name,
            description=values.description,
            permissions=values.permissions,
        )
    except InvalidValue as error:
        form.add_error(error)
        return _form(form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except RoleNameTaken:
        if not _exists(values):
            form.errors["name"] = t("role_form.name_taken")
            return _form(form, status=HTTPStatus.CONFLICT)
    except RoleLimitReached:
        return _form(form, status=HTTPStatus.CONFLICT, is_full=True)
    return redirect_to("roles", message="roles.added", message_values={"role": values.name})


@blueprint.page("/roles/<uuid:role_id>/edit", audiences=OWNER)
def edit_role(role_id: UUID) -> Response:
    """Show the form with the stored values."""
    return _form(Form(), own_role(role_id))


@blueprint.page("/roles/<uuid:role_id>/edit", audiences=OWNER, methods=("POST",))
def save_role(role_id: UUID) -> Response:
    """Save the role if it is unchanged since the form was opened, or show the selected permissions in words."""
    form = Form.from_request()
    role = own_role(role_id)
    if form.is_checked("preview"):
        return _form(form, role)
    values = _parse(form, role)
    if values is None:
        return _form(form, role, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return _save(form, role, values)


def _save(form: Form, role: RoleDetails, values: RoleValues) -> Response:
    try:
        outcome = service().commands.roles.change(
            visitor().account_id,
            role.role_id,
            visitor().command_context,
            name=values.name,
            description=values.description,
            permissions=values.permissions,
            if_fingerprint=form["fingerprint"],
        )
    except InvalidValue as error:
        form.add_error(error)
        return _form(form, role, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except RoleNameTaken:
        form.errors["name"] = t("role_form.name_taken")
        return _form(form, role, status=HTTPStatus.CONFLICT)
    except RoleHasChanged:
        return _form(form, own_role(role.role_id), status=HTTPStatus.CONFLICT, has_changed=True)
    message = "roles.unchanged" if outcome.position is None else "roles.saved"
    return redirect_to("roles", message=message, message_values={"role": values.name})


def own_role(role_id: UUID) -> RoleDetails:
    """Return one of the account's own roles. Raises `RoleNotFound` or `RoleIsBuiltIn`."""
    role = service().commands.roles.get(visitor().account_id, role_id)
    if role.built_in is not None:
        raise RoleIsBuiltIn
    return role


def _parse(form: Form, role: RoleDetails | None) -> RoleValues | None:
    """Return the form's values; None if there are errors."""
    texts = form.load_with(TEXTS, {"name": form["name"], "description": form["description"]})
    if "name" in texts and is_name_of_built_in_role(texts["name"]) and (role is None or role.name != texts["name"]):
        form.errors["name"] = t("role_form.name_taken")
    return None if form.errors else RoleValues(texts["name"], texts["description"], _selected(form))


def _selected(form: Form) -> frozenset[str]:
    return frozenset(name.removeprefix(PREFIX) for name in form.values if name.startswith(PREFIX))


def _exists(values: RoleValues) -> bool:
    """Return whether the account has this role already: the same form was sent twice."""
    roles = service().commands.roles.list(visitor().account_id)
    return values in [RoleValues(role.name, role.description, frozenset(role.permissions)) for role in roles]


def _form(
    form: Form,
    role: RoleDetails | None = None,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    is_full: bool = False,
    has_changed: bool = False,
) -> Response:
    catalogue = service().commands.catalogues.current()
    stored = role.permissions if role is not None else ()
    selected = _selected(form) if form.values else frozenset(stored)
    reserved = [permission.name for permission in catalogue.permissions if permission.reserved]
    is_opened_before = "fingerprint" in form.values and not has_changed
    return render_page(
        "role_form.html",
        status,
        active="roles",
        form=form,
        role=role,
        limit=MAX_ROLES,
        is_full=is_full,
        has_changed=has_changed,
        fingerprint=form["fingerprint"] if is_opened_before else role.fingerprint if role is not None else "",
        rows=_matrix(catalogue),
        selected=selected,
        permission_label=permission_label,
        in_words=role_in_words(catalogue, selected),
        stored_in_words=role_in_words(catalogue, stored),
        reserved_in_words=abilities_in_words(catalogue, reserved),
        holders=holders_of(role) if role is not None else NO_HOLDERS,
    )


def _matrix(catalogue: PermissionCatalogue) -> list[MatrixRow]:
    grantable = [permission for permission in catalogue.permissions if not permission.reserved]
    types = list(dict.fromkeys(permission.resource_type for permission in grantable))
    return [
        MatrixRow(
            t("roles.whole_account") if resource_type is None else capitalized(resource_type_label(resource_type)),
            *(
                [
                    permission
                    for permission in grantable
                    if permission.resource_type == resource_type and permission.reading is reading
                ]
                for reading in (True, False)
            ),
        )
        for resource_type in types
    ]
