"""Authentication by API key and authorization by scope, and the context of a request.

Every route must declare its scopes with `requires_scopes`. A route without a declaration is refused.
"""

from __future__ import annotations

import ipaddress
import re
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import unquote_to_bytes
from uuid import UUID, uuid4

import structlog
from flask import current_app, g, has_app_context, request
from flask.globals import app_ctx, request_ctx

from api.bootstrap.current_reader import identify_reader
from api.http.problems import AUTHZEN_PATH, Problem, unprocessable
from api.server.response_timing import RESPOND_AT, hold_response_until
from application.command_context import CommandContext
from application.commands.api_keys import NO_LIMITS, ApiKey, Scope
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask, Request
    from structlog.typing import EventDict

    from api.bootstrap.service import Service

View = TypeVar("View", bound="Callable[..., Any]")

PUBLIC: frozenset[Scope] = frozenset()
REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
IP_V4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}", re.ASCII)
"""The canonical form of an IPv4 address, which needs no further parsing."""

MAX_USER_AGENT_LENGTH = 400
INVALID_CREDENTIALS_DELAY_SECONDS = 0.25
"""Limits 64 clients that keep trying wrong keys to 256 requests a second, about 10 % of a core."""

OAUTH_INTROSPECTION_PATH = "/oauth2/introspect"
PREFIXES_WITHOUT_ACCOUNT = (
    "/v1/sessions",
    "/v1/password-resets",
    "/v1/invitations",
    "/v1/email-changes",
    "/v1/webhooks",
    "/v1/api-keys",
    "/v1/permissions",
    "/v1/activity-types",
    "/access",
    OAUTH_INTROSPECTION_PATH,
)
"""Prefixes of routes without an account in the path. Their views call `require_account` themselves."""

ACTOR_TYPE_BY_SCOPE = {Scope.AUDITOR: ActorType.AUDITOR, Scope.SUPPORT: ActorType.SUPPORT}
"""Types of the actors of commands by the scope of the API key. With other scopes, the owner of the account acts."""

MAX_PERSON_LENGTH = 200
MAX_REASON_LENGTH = 500

BEARER_CHALLENGE, BASIC_CHALLENGE = 'Bearer realm="subusers", error="invalid_token"', 'Basic realm="subusers"'
UNKNOWN_KEY_DETAIL = "A valid API key is required: Authorization: Bearer <api key>."
UNKNOWN_KEY_OR_PASSWORD_DETAIL = (
    "A valid API key is required: Authorization: Bearer <api key>, or as the password of HTTP Basic."
)
LIMITED_TO_ACCOUNTS_DETAIL = (
    "This API key is limited to certain accounts: it cannot list or register accounts, or make other requests that "
    "concern all accounts."
)

log = structlog.get_logger(__name__)


def requires_scopes(*scopes: Scope) -> Callable[[View], View]:
    """Mark a view with the API key scopes that may use it. Without scopes it is public."""

    def mark(view: View) -> View:
        cast("Any", view).scopes = frozenset(scopes)
        return view

    return mark


def register_authentication(app: Flask) -> None:
    """Authenticate and authorize every request of an application before its view runs."""
    app.before_request(_assign_request_id)
    app.before_request(partial(_authorize, app.view_functions))
    app.after_request(_add_request_id_header)


def service() -> Service:
    """Return the service of the current application."""
    return cast("Service", current_app.extensions["subusers"])


def api_key() -> ApiKey:
    """Return the API key of this request."""
    return cast("ApiKey", g.api_key)


def api_key_activity_check() -> Callable[[], bool]:
    """Return a function that checks whether the API key of this request is still active, for streamed responses."""
    api_keys, key = service().commands.api_keys, api_key()
    return lambda: api_keys.is_active(key.api_key_id)


def command_context(account_id: UUID | None = None, reason: str | None = None) -> CommandContext:
    """Return the actor and origin of this request.

    With a portal key the actor is the owner of the account, else support or the auditor. `reason` is by default that of
    the header `X-Reason`. Raises a problem for an invalid header.
    """
    request_state = app_ctx.g
    key: ApiKey = request_state.api_key
    actor_type = ACTOR_TYPE_BY_SCOPE.get(key.scope, ActorType.MAIN_ACCOUNT)
    actor_id = account_id if actor_type is ActorType.MAIN_ACCOUNT else key.api_key_id
    describes_command = key.scope in {Scope.PORTAL, Scope.SUPPORT}
    reason_header = _text_header("X-Reason", MAX_REASON_LENGTH) if describes_command else None
    return CommandContext(
        actor_type,
        str(actor_id) if actor_id is not None else None,
        request_state.request_id,
        request_state.client_ip,
        request_state.client_agent,
        reason or reason_header,
        str(key.api_key_id),
        _text_header("X-Actor", MAX_PERSON_LENGTH) if describes_command else None,
    )


def scopes_of(app: Flask, endpoint: str | None) -> frozenset[Scope] | None:
    """Return the scopes of a route, None if it declares none."""
    view = app.view_functions.get(endpoint or "")
    scopes: frozenset[Scope] | None = getattr(view, "scopes", None)
    return scopes


def add_request_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add the id of the current request, if there is one, to a log line."""
    if has_app_context() and "request_id" in app_ctx.g:
        event["request_id"] = app_ctx.g.request_id
    return event


def _assign_request_id() -> None:
    """Give the request an id, before anything can fail."""
    app_ctx.g.request_id = str(uuid4())


def _authorize(views: Mapping[str, Any]) -> None:
    current_request = request_ctx.request  # not the proxy `request`, which looks it up on each access
    rule = current_request.url_rule
    if rule is None:
        return
    view = views[rule.endpoint]
    scopes = getattr(view, "scopes", None)
    if scopes is None:
        raise Problem(HTTPStatus.FORBIDDEN, "forbidden", "This route is not accessible.")
    if scopes == PUBLIC:
        return
    request_state = app_ctx.g
    request_state.api_key = key = authenticate()
    identify_reader("API key", key.api_key_id)
    if key.scope not in scopes:
        log.info("request.forbidden", scope=key.scope, route=rule.endpoint)
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "wrong-scope",
            f"This route requires an API key of scope {' or '.join(sorted(scopes))}.",
        )
    _require_within_limits(key, rule.rule, current_request.view_args or {})
    _record_client(key, current_request, request_state)
    service().workers.api_key_uses.submit(key, service().clock())


def _require_within_limits(key: ApiKey, rule: str, view_args: Mapping[str, Any]) -> None:
    """Raise a problem if the limits of the key exclude this address or account."""
    limits = key.limits
    if limits is NO_LIMITS:
        return
    if limits.allowed_addresses is not None:
        address = client_address()
        if address is None or not key.allows_address(ipaddress.ip_address(address)):
            log.info("request.address_not_allowed", api_key=str(key.api_key_id))
            raise Problem(
                HTTPStatus.FORBIDDEN, "address-not-allowed", "This API key is not allowed from your IP address."
            )
    if "account_id" in view_args:
        require_account(view_args["account_id"])
    elif not rule.startswith(PREFIXES_WITHOUT_ACCOUNT):
        require_all_accounts()


def require_account(account_id: UUID | None) -> None:
    """Raise a problem if the limits of the key exclude an account. None means an unknown one."""
    if not api_key().allows_account(account_id):
        raise Problem(HTTPStatus.FORBIDDEN, "account-not-allowed", "This API key is not allowed for this account.")


def require_all_accounts() -> None:
    """Raise a problem if the key is limited to accounts."""
    if api_key().limits.accounts is not None:
        raise Problem(HTTPStatus.FORBIDDEN, "account-not-allowed", LIMITED_TO_ACCOUNTS_DETAIL)


def authenticate() -> ApiKey:
    """Return the API key of this request, read from the database. Raises a problem if it is unknown or expired."""
    secret = bearer_token() or _basic_password()
    key = service().commands.api_keys.find(secret) if secret else None
    headers = {"WWW-Authenticate": _challenges()}
    if key is None:
        delay_invalid_credentials()
        detail = UNKNOWN_KEY_OR_PASSWORD_DETAIL if accepts_basic(request_ctx.request.path) else UNKNOWN_KEY_DETAIL
        raise Problem(HTTPStatus.UNAUTHORIZED, "unknown-api-key", detail, headers=headers)
    if key.has_expired(service().clock()):
        raise Problem(HTTPStatus.UNAUTHORIZED, "api-key-expired", "This API key has expired.", headers=headers)
    return key


def accepts_basic(path: str) -> bool:
    """Return whether a route accepts the API key as password of HTTP Basic, as OAuth clients send it."""
    return path == OAUTH_INTROSPECTION_PATH


def bearer_token() -> str:
    """Return the bearer token of the `Authorization` header, or an empty string."""
    scheme, _, token = request_ctx.request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _challenges() -> str:
    """Return the challenges of the schemes that this route accepts, that of the request's scheme first."""
    if not accepts_basic(request_ctx.request.path):
        return BEARER_CHALLENGE
    scheme, _, _ = request_ctx.request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    challenges = [BEARER_CHALLENGE, BASIC_CHALLENGE]
    return ", ".join(reversed(challenges) if scheme.lower() == "basic" else challenges)


def _basic_password() -> str:
    """Return the password of HTTP Basic if this route accepts it as the API key, or an empty string."""
    if not accepts_basic(request_ctx.request.path):
        return ""
    credentials = request_ctx.request.authorization
    return (credentials.password or "") if credentials is not None and credentials.type == "basic" else ""


def delay_invalid_credentials() -> None:
    """Delay the response, so that guessing credentials uses little CPU time.

    Other WSGI servers respond at once, because there a delay would occupy a thread.
    """
    environ = request_ctx.request.environ
    if RESPOND_AT in environ:
        hold_response_until(environ, time.monotonic() + INVALID_CREDENTIALS_DELAY_SECONDS)


def _record_client(key: ApiKey, current_request: Request, request_state: Any) -> None:
    """Record the client of the request: as a portal reports it, else that of the connection or of our own proxies."""
    environ = current_request.environ  # faster than `Request.headers`
    if key.scope is not Scope.PORTAL:
        request_state.client_ip = client_address()
        request_state.client_agent = user_agent(environ.get("HTTP_USER_AGENT"))
        return
    request_state.client_ip = _parse_client_ip(environ.get("HTTP_X_CLIENT_IP"))
    request_state.client_agent = user_agent(environ.get("HTTP_X_CLIENT_USER_AGENT"))
    request_id = environ.get("HTTP_X_REQUEST_ID")
    if request_id is not None and REQUEST_ID.fullmatch(request_id):
        request_state.request_id = request_id


def _text_header(name: str, max_length: int) -> str | None:
    """Return the text of a header in UTF-8, in which any bytes may be percent-encoded. Raises a problem."""
    value = request_ctx.request.environ.get(f"HTTP_{name.upper().replace('-', '_')}")
    if not value:
        return None
    try:
        text = unquote_to_bytes(value.encode("latin-1")).decode().strip()  # WSGI decodes headers as Latin-1
    except UnicodeDecodeError:
        raise unprocessable({name: ["must be UTF-8, with percent-encoding for characters outside ASCII"]}) from None
    if len(text) > max_length or not text.isprintable():
        raise unprocessable({name: [f"must be at most {max_length} printable characters"]})
    return text or None


def client_address() -> str | None:
    """Return the client's address: that of the connection, or the one that our own proxies report.

    `X-Forwarded-For` is read from its end: clients can write any entries before those of our own proxies.
    """
    hops = [request.remote_addr, *reversed(request.headers.get("X-Forwarded-For", "").split(","))]
    address: str | None = None
    for hop in hops:
        try:
            address = _canonical_address(hop or "")
        except ValueError:
            break
        if not any(ipaddress.ip_address(address) in network for network in service().settings.trusted_proxies):
            break
    return address


def _parse_client_ip(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return _canonical_address(text)
    except ValueError:
        raise unprocessable({"X-Client-IP": ["must be an IP address"]}) from None


def _canonical_address(text: str) -> str:
    """Return an IP address in its canonical form, IPv4-mapped ones as IPv4. Raises ValueError."""
    if IP_V4.fullmatch(text):
        return text
    if "%" in text:  # an IPv6 zone is local to one machine, and may be any text
        raise ValueError(text)
    address = ipaddress.ip_address(text.strip())
    return str(getattr(address, "ipv4_mapped", None) or address)


def user_agent(text: str | None) -> str | None:
    """Return a user agent without unprintable characters, truncated; None if nothing remains."""
    if not text:
        return None
    printable = text if text.isprintable() else "".join(filter(str.isprintable, text))
    return printable[:MAX_USER_AGENT_LENGTH] or None


def _add_request_id_header(response: Any) -> Any:
    response.headers.add("X-Request-Id", _echoed_request_id() or app_ctx.g.get("request_id", ""))
    return response


def _echoed_request_id() -> str | None:
    """Return the client's id of an AuthZEN request, which the response must repeat whatever it is."""
    if not request_ctx.request.path.startswith(AUTHZEN_PATH):
        return None
    request_id: str | None = request_ctx.request.environ.get("HTTP_X_REQUEST_ID")
    return request_id if request_id and request_id.isascii() and request_id.isprintable() else None
