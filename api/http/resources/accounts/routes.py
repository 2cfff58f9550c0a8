"""Routes of main accounts."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import command_context, service
from api.http.resources.accounts.schemas import (
    AccountAnswer,
    AccountListAnswer,
    AccountListQuery,
    AccountPatch,
    ConsoleLinkAnswer,
    ConsoleLinkQuery,
    NewAccount,
    NewLimit,
)
from api.http.responses import IdempotentRequest, json_response, required_position
from api.http.routing import IDEMPOTENCY_KEY, LOCATION, RECORDED_POSITION, REQUIRED_POSITION, Routes
from application.commands.accounts import AccountChanges
from application.commands.api_keys import Scope
from application.sign_in.owner_sign_in import LINK_LIFETIME
from domain.assurance_level import AssuranceLevel
from projections.sub_users.queries import AccountFilter

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

routes = Routes("accounts", "Main accounts")
ACCOUNT = AccountAnswer()
ACCOUNT_LIST = AccountListAnswer()
CONSOLE_LINK = ConsoleLinkAnswer()
PATH = "/v1/accounts/<uuid:account_id>"


@routes.route(
    "POST",
    "/v1/accounts",
    Scope.PORTAL,
    problems=(HTTPStatus.CONFLICT,),
    headers=(IDEMPOTENCY_KEY,),
    body=NewAccount,
    response=(201, AccountAnswer),
    response_headers=(LOCATION, RECORDED_POSITION),
)
def create_account(body: dict[str, Any]) -> Response:
    """Register a main account."""
    idempotent_request: IdempotentRequest[Any] = IdempotentRequest(
        ACCOUNT, HTTPStatus.CREATED, lambda account: {"Location": f"/v1/accounts/{account.account_id}"}
    )
    also_write = idempotent_request.store_for(lambda account: account.account_id)
    return idempotent_request.run(
        lambda: service().commands.accounts.register(command_context(), **body, also_write=also_write)
    )


@routes.route(
    "GET",
    "/v1/accounts",
    Scope.PORTAL,
    headers=(REQUIRED_POSITION,),
    query=AccountListQuery,
    response=(200, AccountListAnswer),
)
def list_accounts(query: dict[str, Any]) -> Response:
    """List main accounts, oldest first, or find one by its e-mail or external id.

    Closed accounts are included. The list includes every change whose response was sent before this request.
    """
    account_filter = AccountFilter(query.get("email"), query.get("external_id"))
    page = service().queries.sub_users.accounts(account_filter, query["limit"], query["cursor"], required_position())
    return json_response(ACCOUNT_LIST.to_json(page))


@routes.route(
    "GET",
    PATH,
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND,),
    headers=(REQUIRED_POSITION,),
    response=(200, AccountAnswer),
)
def get_account(account_id: UUID) -> Response:
    """Get a main account."""
    return json_response(ACCOUNT.to_json(service().queries.sub_users.account(account_id, required_position())))


@routes.route(
    "PATCH",
    PATH,
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS),
    body=AccountPatch,
    response=(200, AccountAnswer),
    response_headers=(RECORDED_POSITION,),
)
def change_account(body: dict[str, Any], account_id: UUID) -> Response:
    """Change a main account's details and policies.

    A new `email` changes when the link that is mailed there is used, within 24 hours: until then it is `pending_email`.
    Another one replaces it. With `email_verified`, it changes at once. The former e-mail still works for 7 days, and is
    mailed a link that undoes the change. Active sub-users are mailed the new e-mail.

    With the policy `required`, every session that has not verified a second factor loses its permissions at once.
    """
    changes = AccountChanges(**body, changes_external_id="external_id" in body)
    outcome = service().commands.accounts.change(account_id, changes, command_context(account_id))
    return json_response(ACCOUNT.to_json(outcome.value), position=outcome.position)


@routes.route(
    "DELETE",
    PATH,
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND,),
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def close_account(account_id: UUID) -> Response:
    """Close a main account.

    All its sessions end at once, and further logins are refused. Closing a closed account changes nothing.
    """
    outcome = service().commands.accounts.close(account_id, command_context(account_id))
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.route(
    "PUT",
    f"{PATH}/sub-user-limit",
    Scope.SUPPORT,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    body=NewLimit,
    response=(200, AccountAnswer),
    response_headers=(RECORDED_POSITION,),
)
def change_sub_user_limit(body: dict[str, Any], account_id: UUID) -> Response:
    """Raise the maximum number of sub-users of an account.

    The reason is recorded in the account's history. The limit cannot be lowered.
    """
    context = command_context(account_id, reason=body["reason"])
    outcome = service().commands.accounts.raise_sub_user_limit(account_id, body["sub_user_limit"], context)
    return json_response(ACCOUNT.to_json(outcome.value), position=outcome.position)


@routes.route(
    "POST",
    f"{PATH}/console-links",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    query=ConsoleLinkQuery,
    response=(201, ConsoleLinkAnswer),
)
def create_console_link(query: dict[str, Any], account_id: UUID) -> Response:
    """Create a link that logs the account's owner in to the console.

    The link works once, within 60 seconds, for anyone who has it. Redirect the owner's browser to it at once, and do
    not store it.
    """
    expires_at = service().clock() + LINK_LIFETIME  # computed first, so that it is never later than the actual expiry
    secret = service().commands.owner_sessions.create_link(account_id, AssuranceLevel(query["assurance_level"]))
    link = {"url": f"{service().settings.public_url}/console/link/{secret}", "expires_at": expires_at}
    return json_response(CONSOLE_LINK.to_json(link), HTTPStatus.CREATED)
