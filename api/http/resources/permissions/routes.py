"""Routes of the permission catalogue."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import command_context, require_account, service
from api.http.resources.permissions.schemas import CatalogueAnswer, NewCatalogue
from api.http.responses import etag, if_match_revisions, json_response
from api.http.routing import ETAG, IF_MATCH, RECORDED_POSITION, Routes
from application.commands.api_keys import Scope
from domain.permission_catalogue import Permission

if TYPE_CHECKING:
    from flask import Response

routes = Routes("permissions", "The permission catalogue")
CATALOGUE = CatalogueAnswer()


@routes.route("GET", "/v1/permissions", *Scope, response=(200, CatalogueAnswer), response_headers=(ETAG,))
def get_permissions() -> Response:
    """Get the permission catalogue."""
    catalogue = service().commands.catalogues.current()
    return json_response(CATALOGUE.to_json(catalogue), headers={"ETag": etag(catalogue.revision)})


@routes.route(
    "PUT",
    "/v1/permissions",
    Scope.PORTAL,
    problems=(HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED),
    headers=(IF_MATCH,),
    body=NewCatalogue,
    response=(200, CatalogueAnswer),
    response_headers=(ETAG, RECORDED_POSITION),
)
def replace_permissions(body: dict[str, Any]) -> Response:
    """Replace the permission catalogue, for all accounts.

    If a role has a permission that would no longer be grantable, the request is refused with 409 `permission-in-use`,
    unless it has `remove_from_roles`: then all roles lose it at the same moment.
    """
    require_account(None)
    outcome = service().commands.catalogues.replace(
        [Permission(**permission) for permission in body["permissions"]],
        command_context(),
        if_revisions=if_match_revisions(),
        remove_from_roles=body["remove_from_roles"],
    )
    headers = {"ETag": etag(outcome.value.revision)}
    return json_response(CATALOGUE.to_json(outcome.value), position=outcome.position, headers=headers)
