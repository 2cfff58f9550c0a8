"""Decides whether a view may run. The integrations share it, and fail closed: without an answer there is no access."""

from __future__ import annotations

import inspect
import ipaddress
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from subusers_client.errors import ApiKeyNotAllowed, InvalidApiKey, InvalidRequest, SubusersError
from subusers_client.role_models import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from subusers_client._async.client import AsyncClient
    from subusers_client._sync.client import Client
    from subusers_client.models import Introspection, NewSession

COOKIE_NAME = "subusers_session"

log = logging.getLogger("subusers_client")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The response in place of a view: a redirect if `location` is given, else an error."""

    status: int
    message: str
    location: str | None = None


UNAVAILABLE = Refusal(status=503, message="service unavailable")
MISSING_PERMISSION = Refusal(status=403, message="missing permission")


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Checks sessions for the views of an application.

    `login_url` is the page for ended sessions, `password_url` the page for sessions with a temporary password. Without
    them, the responses are 401 and 403.
    """

    login_url: str | None = None
    password_url: str | None = None
    cookie_name: str = COOKIE_NAME
    cookie_secure: bool = True

    def check(
        self,
        client: Client,
        token: str | None,
        permission: str | None,
        resource: Resource | None,
        *,
        allow_temporary_password: bool,
    ) -> Introspection | Refusal:
        """Return the session, or the refusal if the view must not run."""
        if not token:
            return self._ended()
        try:
            introspection = client.sessions.introspect(token=token, permission=permission, resource=resource)
        except SubusersError as error:
            return refusal_of(error)
        return self._decide(introspection, permission, allow_temporary_password=allow_temporary_password)

    async def check_async(
        self,
        client: AsyncClient,
        token: str | None,
        permission: str | None,
        resource: Resource | None,
        *,
        allow_temporary_password: bool,
    ) -> Introspection | Refusal:
        """Return the session, or the refusal if the view must not run."""
        if not token:
            return self._ended()
        try:
            introspection = await client.sessions.introspect(token=token, permission=permission, resource=resource)
        except SubusersError as error:
            return refusal_of(error)
        return self._decide(introspection, permission, allow_temporary_password=allow_temporary_password)

    def _decide(
        self, introspection: Introspection, permission: str | None, *, allow_temporary_password: bool
    ) -> Introspection | Refusal:
        if not introspection.active:
            return self._ended()
        if introspection.must_change_password and not allow_temporary_password:
            if self.password_url is not None:
                return Refusal(status=303, message="password must be changed", location=self.password_url)
            return Refusal(status=403, message="password must be changed")
        if permission is not None and introspection.allowed is not True:
            return MISSING_PERMISSION
        return introspection

    def _ended(self) -> Refusal:
        if self.login_url is not None:
            return Refusal(status=303, message="session ended", location=self.login_url)
        return Refusal(status=401, message="session ended")

    def cookie(self, session: NewSession) -> dict[str, Any]:
        """Return the arguments for `set_cookie` of Flask's, Django's and Starlette's responses."""
        seconds = int((session.expires_at - datetime.now(UTC)).total_seconds())
        return {
            "key": self.cookie_name,
            "value": session.token,
            "max_age": max(seconds, 0),
            "secure": self.cookie_secure,
            "httponly": True,
            "samesite": "lax",
        }


@dataclass(frozen=True)
class ResourceArgument:
    """The resource that a view is about: its type, and the name of the view's argument with its id."""

    type: str
    argument: str

    def resource_in(self, arguments: Mapping[str, Any]) -> Resource:
        """Return the resource of a request. Raises LookupError without the argument: then the view must not run."""
        if self.argument not in arguments:
            raise LookupError(f"the view has no argument {self.argument!r}")
        return Resource(type=self.type, id=str(arguments[self.argument]))

    def require_argument_of(self, view: Callable[..., Any]) -> None:
        """Raise TypeError if a view has no such argument."""
        parameters = inspect.signature(view).parameters.values()
        takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
        if not takes_any and self.argument not in {parameter.name for parameter in parameters}:
            raise TypeError(f"the view has no argument {self.argument!r}")


def resource_argument(permission: object, resource: tuple[str, str] | None) -> ResourceArgument | None:
    """Return the resource that a decorator names. Raises TypeError if it is used without parentheses or permission."""
    if callable(permission):
        raise TypeError("write require_session() with parentheses")
    if resource is None:
        return None
    if permission is None:
        raise TypeError("resource needs a permission")
    return ResourceArgument(*resource)


def refusal_of(error: SubusersError) -> Refusal:
    """Return the refusal for an error. An id that the service does not accept is that of no resource."""
    if isinstance(error, InvalidRequest) and _is_about_resource_id(error.errors):
        return MISSING_PERMISSION
    return unavailable(error)


def _is_about_resource_id(errors: Mapping[str, Any]) -> bool:
    resource = errors.get("resource")
    return set(errors) == {"resource"} and isinstance(resource, dict) and set(resource) == {"id"}


def unavailable(error: SubusersError) -> Refusal:
    """Log the cause, and return the refusal. It never tells the person about the API key."""
    if isinstance(error, InvalidApiKey | ApiKeyNotAllowed | InvalidRequest):
        log.error("session check failed, ask the operator to check the configuration: %s", error)
    else:
        log.warning("session check failed: %s", error)
    return UNAVAILABLE


def valid_ip(address: str | None) -> str | None:
    """Return an IP address if the service accepts it, else None."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    return None if getattr(parsed, "scope_id", None) else str(parsed)
