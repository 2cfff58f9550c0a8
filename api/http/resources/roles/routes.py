"""Routes of roles and grants."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import command_context, service
from api.http.resources.roles.schemas import (
    GrantAnswer,
    GrantListAnswer,
    NewRole,
    NewRoleGrant,
    ReplacedGrants,
    RoleAnswer,
    RoleListAnswer,
    RolePatch,
    new_grant,
)
from api.http.responses import IdempotentRequest, json_response
from api.http.routing import IDEMPOTENCY_KEY, LOCATION, RECORDED_POSITION, Routes
from application.commands.api_keys import Scope

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from application.command_context import CommandContext
    from application.commands.access_control import GrantDetails, RoleDetails

routes = Routes("roles", "Roles of an account, and the grants of its sub-users")
ROLE, ROLE_LIST, GRANT, GRANT_LIST = RoleAnswer(), RoleListAnswer(), GrantAnswer(), GrantListAnswer()
ROLES_PATH = "/v1/accounts/<uuid:account_id>/roles"
ROLE_PATH = f"{ROLES_PATH}/<uuid:role_id>"
GRANTS_PATH = "/v1/accounts/<uuid:account_id>/sub-users/<uuid:sub_user_id>/grants"
GRANT_PATH = f"{GRANTS_PATH}/<uuid:grant_id>"
NOT_FOUND = (HTTPStatus.NOT_FOUND,)
CHANGE_PROBLEMS = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


@routes.route("GET", ROLES_PATH, Scope.PORTAL, problems=NOT_FOUND, response=(200, RoleListAnswer))
def list_roles(account_id: UUID) -> Response:
    """List the roles of an account."""
    return json_response(ROLE_LIST.to_json({"items": service().commands.roles.list(account_id)}))


@routes.route(
    "POST",
    ROLES_PATH,
    Scope.PORTAL,
    problems=CHANGE_PROBLEMS,
    headers=(IDEMPOTENCY_KEY,),
    body=NewRole,
    response=(201, RoleAnswer),
    response_headers=(LOCATION, RECORDED_POSITION),
)
def create_role(body: dict[str, Any], account_id: UUID) -> Response:
    """Create a role. Up to 50 for an account, in addition to the built-in ones."""
    idempotent_request: IdempotentRequest[RoleDetails] = IdempotentRequest(
        ROLE, HTTPStatus.CREATED, lambda role: {"Location": f"/v1/accounts/{account_id}/roles/{role.role_id}"}
    )
    return idempotent_request.run(
        lambda: service().commands.roles.create(
            account_id,
            command_context(account_id),
            name=body["name"],
            description=body["description"],
            permissions=frozenset(body["permissions"]),
            also_write=idempotent_request.store_for(lambda _: account_id),
        )
    )


@routes.route("GET", ROLE_PATH, Scope.PORTAL, problems=NOT_FOUND, response=(200, RoleAnswer))
def get_role(account_id: UUID, role_id: UUID) -> Response:
    """Get a role."""
    return json_response(ROLE.to_json(service().commands.roles.get(account_id, role_id)))


@routes.route(
    "PATCH",
    ROLE_PATH,
    Scope.PORTAL,
    problems=CHANGE_PROBLEMS,
    body=RolePatch,
    response=(200, RoleAnswer),
    response_headers=(RECORDED_POSITION,),
)
def change_role(body: dict[str, Any], account_id: UUID, role_id: UUID) -> Response:
    """Change a role. Checks of access follow it at once."""
    permissions = frozenset(body["permissions"]) if "permissions" in body else None
    outcome = service().commands.roles.change(
        account_id, role_id, command_context(account_id), **{**body, "permissions": permissions}
    )
    return json_response(ROLE.to_json(outcome.value), position=outcome.position)


@routes.route(
    "DELETE",
    ROLE_PATH,
    Scope.PORTAL,
    problems=CHANGE_PROBLEMS,
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def delete_role(account_id: UUID, role_id: UUID) -> Response:
    """Delete an unused role."""
    outcome = service().commands.roles.delete(account_id, role_id, command_context(account_id))
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.route("GET", GRANTS_PATH, Scope.PORTAL, problems=NOT_FOUND, response=(200, GrantListAnswer))
def list_grants(account_id: UUID, sub_user_id: UUID) -> Response:
    """List the grants of a sub-user, also expired ones."""
    return _grants(account_id, sub_user_id, None)


@routes.route(
    "POST",
    GRANTS_PATH,
    Scope.PORTAL,
    problems=CHANGE_PROBLEMS,
    headers=(IDEMPOTENCY_KEY,),
    body=NewRoleGrant,
    response=(201, GrantAnswer),
    response_headers=(RECORDED_POSITION,),
)
def grant_role(body: dict[str, Any], account_id: UUID, sub_user_id: UUID) -> Response:
    """Grant a role to a sub-user: on everything, or on one resource. Up to 1000 grants for a sub-user."""
    context = _context(account_id, body.pop("reason"))
    idempotent_request: IdempotentRequest[GrantDetails] = IdempotentRequest(GRANT, HTTPStatus.CREATED)
    return idempotent_request.run(
        lambda: service().commands.grants.grant(
            account_id,
            sub_user_id,
            new_grant(body),
            context,
            also_write=idempotent_request.store_for(lambda _: sub_user_id),
        )
    )


@routes.route(
    "PUT",
    GRANTS_PATH,
    Scope.PORTAL,
    problems=CHANGE_PROBLEMS,
    body=ReplacedGrants,
    response=(200, GrantListAnswer),
    response_headers=(RECORDED_POSITION,),
)
def replace_grants(body: dict[str, Any], account_id: UUID, sub_user_id: UUID) -> Response:
    """Replace all grants of a sub-user, or change nothing. Grants that stay the same keep their id."""
    outcome = service().commands.grants.replace(
        account_id, sub_user_id, [new_grant(grant) for grant in body["grants"]], _context(account_id, body["reason"])
    )
    return _grants(account_id, sub_user_id, outcome.position)


@routes.route(
    "DELETE",
    GRANT_PATH,
    Scope.PORTAL,
    problems=CHANGE_PROBLEMS,
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def revoke_grant(account_id: UUID, sub_user_id: UUID, grant_id: UUID) -> Response:
    """Revoke a grant. Once this is answered, no check allows what it gave."""
    outcome = service().commands.grants.revoke(account_id, sub_user_id, grant_id, command_context(account_id))
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


def _grants(account_id: UUID, sub_user_id: UUID, position: int | None) -> Response:
    grants = service().commands.grants.list(account_id, sub_user_id)
    return json_response(GRANT_LIST.to_json({"items": grants}), position=position)


def _context(account_id: UUID, reason: str | None) -> CommandContext:
    """Return the context of a command with the reason in its body, or else in the header."""
    context = command_context(account_id)
    return replace(context, reason=reason) if reason is not None else context
