"""Who may come in: every route names the scopes that open it, and one that names none opens to nobody."""

from __future__ import annotations

import ipaddress
import os
import random
import re
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

import structlog
from flask import current_app, g, has_app_context, request
from flask.globals import app_ctx, request_ctx

from api.http.problems import Problem, unprocessable
from application.api_keys import ApiKey, Scope
from application.origin import Origin
from domain.cause import ActorType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask, Request
    from structlog.typing import EventDict

    from api.bootstrap import Service

View = TypeVar("View", bound="Callable[..., Any]")

PUBLIC: frozenset[Scope] = frozenset()
REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
IP_V4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}", re.ASCII)
"""The one spelling that such an address has."""

LONGEST_USER_AGENT = 400
UNKNOWN_KEY = "A valid API key is needed: Authorization: Bearer <api key>."

_numbers = random.Random()  # noqa: S311  # no secrets
"""For ids of requests: to ask the system for random bytes is to let others have the interpreter, and to wait for it.

A generator of their own, as anybody may set the module's back."""
os.register_at_fork(after_in_child=_numbers.seed)

log = structlog.get_logger(__name__)


def opens_to(*scopes: Scope) -> Callable[[View], View]:
    """Mark a view with the scopes that may use it; none means anybody."""

    def mark(view: View) -> View:
        cast("Any", view).scopes = frozenset(scopes)
        return view

    return mark


def guard(app: Flask) -> None:
    """Check every request before its route sees it."""
    app.before_request(_identify)
    app.before_request(partial(_admit, app.view_functions))
    app.after_request(_tell_request_id)


def service() -> Service:
    """Return what is behind the doors."""
    return cast("Service", current_app.extensions["subusers"])


def api_key() -> ApiKey:
    """Return the key that this request came with."""
    return cast("ApiKey", g.api_key)


def key_stays_good() -> Callable[[], bool]:
    """Return what tells whether this request's key is good still: of a long answer no more is given than it opens."""
    api_keys, key = service().api_keys, api_key()
    return lambda: api_keys.is_good(key.api_key_id)


def origin(account_id: UUID | None = None, reason: str | None = None) -> Origin:
    """Return where this request comes from: the account's owner through the portal, support or an auditor in person."""
    here = app_ctx.g
    key: ApiKey = here.api_key
    told = here.request_id, here.client_ip, here.client_agent
    if key.scope is Scope.AUDITOR:
        return Origin(ActorType.AUDITOR, str(key.api_key_id), *told)
    if key.scope is Scope.SUPPORT:
        return Origin(ActorType.SUPPORT, str(key.api_key_id), *told, reason)
    actor_id = str(account_id) if account_id is not None else None
    return Origin(ActorType.MAIN_ACCOUNT, actor_id, *told, reason)


def scopes_of(app: Flask, endpoint: str | None) -> frozenset[Scope] | None:
    """Return the scopes that a route opens to, None if it does not say."""
    view = app.view_functions.get(endpoint or "")
    scopes: frozenset[Scope] | None = getattr(view, "scopes", None)
    return scopes


def with_request_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add to a line of the log the id of the request that is being answered, if any is."""
    if has_app_context() and "request_id" in app_ctx.g:
        event["request_id"] = app_ctx.g.request_id
    return event


def _identify() -> None:
    """Give the request an id before anything can go wrong with it."""
    app_ctx.g.request_id = str(UUID(int=_numbers.getrandbits(128), version=4))


def _admit(views: Mapping[str, Any]) -> None:
    asked = request_ctx.request  # itself: `request` looks it up anew each time that it is named
    rule = asked.url_rule
    if rule is None:
        return
    view = views[rule.endpoint]
    scopes = getattr(view, "scopes", None)
    if scopes is None:
        raise Problem(HTTPStatus.FORBIDDEN, "forbidden", "This route is open to nobody.")
    if scopes == PUBLIC:
        return
    here = app_ctx.g
    here.api_key = key = key_of_request(getattr(view, "finds_key", None))
    if key.scope not in scopes:
        log.info("request.forbidden", scope=key.scope, route=rule.endpoint)
        raise Problem(
            HTTPStatus.FORBIDDEN, "wrong-scope", f"This needs an API key of scope {' or '.join(sorted(scopes))}."
        )
    _believe_headers(key, asked, here)


def key_of_request(find: Callable[[str], ApiKey | None] | None = None) -> ApiKey:
    """Return the key that this request came with, as it is now. Raises the problem that it opens nothing.

    `find` looks a key up together with what its route will need.
    """
    scheme, _, secret = request_ctx.request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    find = find or service().api_keys.find
    found = find(secret.strip()) if scheme.lower() == "bearer" and secret else None
    if found is None:
        headers = {"WWW-Authenticate": 'Bearer realm="subusers"'}
        raise Problem(HTTPStatus.UNAUTHORIZED, "unknown-api-key", UNKNOWN_KEY, headers=headers)
    return found


def _believe_headers(key: ApiKey, asked: Request, here: Any) -> None:
    """Take from a portal what it says of its client; of anybody else only what the connection itself shows."""
    told = asked.environ  # where headers are as they came: `headers` takes some time to find them there
    if key.scope is not Scope.PORTAL:
        here.client_ip = asked.remote_addr
        here.client_agent = user_agent(told.get("HTTP_USER_AGENT"))
        return
    here.client_ip = _client_ip(told.get("HTTP_X_CLIENT_IP"))
    here.client_agent = user_agent(told.get("HTTP_X_CLIENT_USER_AGENT"))
    request_id = told.get("HTTP_X_REQUEST_ID")
    if request_id is not None and REQUEST_ID.fullmatch(request_id):
        here.request_id = request_id


def visitor_address() -> str | None:
    """Return the address that a person's browser has: that of the connection, or what a proxy of ours tells of it."""
    hops = [request.remote_addr, *reversed(request.headers.get("X-Forwarded-For", "").split(","))]
    address: str | None = None
    for hop in hops:
        try:
            address = _address(hop or "")
        except ValueError:
            break
        if not any(ipaddress.ip_address(address) in proxies for proxies in service().settings.proxies):
            break
    return address


def plain_client_ip(asked: Request) -> tuple[str | None, bool]:
    """Return the address that a portal tells of its client, and whether that can be said before the key is known."""
    text = asked.environ.get("HTTP_X_CLIENT_IP")
    return text, text is None or IP_V4.fullmatch(text) is not None


def _client_ip(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return _address(text)
    except ValueError:
        raise unprocessable({"X-Client-IP": ["must be an IP address"]}) from None


def _address(text: str) -> str:
    """Return an IP address in the one spelling that a client has here. Raises ValueError."""
    if IP_V4.fullmatch(text):
        return text
    if "%" in text:  # a zone means something on one machine only, and may be any text
        raise ValueError(text)
    address = ipaddress.ip_address(text.strip())
    return str(getattr(address, "ipv4_mapped", None) or address)


def user_agent(text: str | None) -> str | None:
    """Return what a client says that it is, in a form that can be shown and kept."""
    if not text:
        return None
    shown = text if text.isprintable() else "".join(c for c in text if c.isprintable())
    return shown[:LONGEST_USER_AGENT] or None


def _tell_request_id(response: Any) -> Any:
    response.headers.add("X-Request-Id", app_ctx.g.get("request_id", ""))
    return response
