"""Main accounts."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.answers import Once, answer, demanded_position
from api.http.doors import origin, service
from api.http.routes import EVENT_POSITION, IDEMPOTENCY_KEY, LOCATION, POSITION, Routes
from api.http.schemas import AccountAnswer, AccountPatch, ConsoleLinkAnswer, NewAccount, NewLimit
from application.accounts import AccountChanges
from application.api_keys import Scope
from application.owner_sessions import LINK_LIFETIME

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

routes = Routes("accounts", "Main accounts")
ACCOUNT = AccountAnswer()
CONSOLE_LINK = ConsoleLinkAnswer()
PATH = "/v1/accounts/<uuid:account_id>"


@routes.door(
    "POST",
    "/v1/accounts",
    Scope.PORTAL,
    problems=(HTTPStatus.CONFLICT,),
    headers=(IDEMPOTENCY_KEY,),
    body=NewAccount,
    gives=(201, AccountAnswer),
    tells=(LOCATION, POSITION),
)
def register_account(body: dict[str, Any]) -> Response:
    """Register a main account."""
    once: Once[Any] = Once(ACCOUNT, HTTPStatus.CREATED, lambda one: {"Location": f"/v1/accounts/{one.account_id}"})
    keep = once.keep(lambda one: one.account_id)
    return once.run(lambda: service().accounts.register(origin(), **body, keep=keep))


@routes.door(
    "GET", PATH, Scope.PORTAL, problems=(HTTPStatus.NOT_FOUND,), headers=(EVENT_POSITION,), gives=(200, AccountAnswer)
)
def show_account(account_id: UUID) -> Response:
    """Show a main account."""
    return answer(ACCOUNT.written(service().sub_user_queries.account(account_id, demanded_position())))


@routes.door(
    "PATCH",
    PATH,
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    body=AccountPatch,
    gives=(200, AccountAnswer),
    tells=(POSITION,),
)
def change_account(body: dict[str, Any], account_id: UUID) -> Response:
    """Change a main account's e-mail, company name, language or password."""
    outcome = service().accounts.change(account_id, AccountChanges(**body), origin(account_id))
    return answer(ACCOUNT.written(outcome.value), position=outcome.position)


@routes.door("DELETE", PATH, Scope.PORTAL, problems=(HTTPStatus.NOT_FOUND,), gives=(204, None), tells=(POSITION,))
def close_account(account_id: UUID) -> Response:
    """Close a main account.

    Every session in it ends at once, and every login is refused. Closing it again changes nothing.
    """
    outcome = service().accounts.close(account_id, origin(account_id))
    return answer(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.door(
    "PUT",
    f"{PATH}/sub-user-limit",
    Scope.SUPPORT,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    body=NewLimit,
    gives=(200, AccountAnswer),
    tells=(POSITION,),
)
def raise_sub_user_limit(body: dict[str, Any], account_id: UUID) -> Response:
    """Raise the number of sub-users that an account may have.

    The reason is kept in the account's history. The limit cannot be lowered.
    """
    by = origin(account_id, reason=body["reason"])
    outcome = service().accounts.raise_sub_user_limit(account_id, body["limit"], by)
    return answer(ACCOUNT.written(outcome.value), position=outcome.position)


@routes.door(
    "POST",
    f"{PATH}/console-links",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    gives=(201, ConsoleLinkAnswer),
)
def offer_console_link(account_id: UUID) -> Response:
    """Obtain a link that logs the account's owner in to the console.

    It is good once, for 60 seconds, and opens a session for whoever has it: redirect the owner's browser to it at once,
    and keep it nowhere.
    """
    expires_at = service().clock() + LINK_LIFETIME  # taken first, so that it is never later than the truth
    secret = service().owner_sessions.offer_link(account_id)
    offered = {"url": f"{service().settings.public_url}/console/link/{secret}", "expires_at": expires_at}
    return answer(CONSOLE_LINK.written(offered), HTTPStatus.CREATED)
