"""Flask extension that protects views by the sessions of sub-users.

subusers = Subusers(app)  # reads SUBUSERS_URL and SUBUSERS_API_KEY of app.config

@app.get("/assistants")
@require_session("assistants")
def assistants(): ...

@app.get("/assistants/<assistant_id>")
@require_session("assistants", resource=("assistant", "assistant_id"))
def assistant(assistant_id): ...
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from flask import abort, current_app, g, redirect, request

from subusers_client._sync.client import Client
from subusers_client.guard import COOKIE_NAME, Guard, Refusal, resource_argument, valid_ip

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask, Response
    from werkzeug.wrappers import Response as WerkzeugResponse

    from subusers_client.models import Introspection, NewSession

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Subusers:
    """The extension. Create it with the application, or call `init_app` later.

    Configuration: SUBUSERS_URL, SUBUSERS_API_KEY, and optionally SUBUSERS_LOGIN_URL, SUBUSERS_PASSWORD_URL,
    SUBUSERS_COOKIE_NAME, SUBUSERS_COOKIE_SECURE and SUBUSERS_TIME_LIMIT (seconds of a session check, 5).
    """

    def __init__(self, app: Flask | None = None, *, client: Client | None = None) -> None:
        self._client = client
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Read the configuration of an application."""
        config = app.config
        if self._client is None:
            self._client = Client(
                base_url=config["SUBUSERS_URL"],
                api_key=config.get("SUBUSERS_API_KEY") or "",
                introspection_time_limit=config.get("SUBUSERS_TIME_LIMIT", 5.0),
            )
        guard = Guard(
            login_url=config.get("SUBUSERS_LOGIN_URL"),
            password_url=config.get("SUBUSERS_PASSWORD_URL"),
            cookie_name=config.get("SUBUSERS_COOKIE_NAME", COOKIE_NAME),
            cookie_secure=config.get("SUBUSERS_COOKIE_SECURE", True),
        )
        app.extensions["subusers"] = Extension(self._client, guard)

    @property
    def client(self) -> Client:
        """The client, which sends the address and user agent of the current request's browser."""
        user_agent = request.headers.get("User-Agent")
        return _extension().client.for_request(client_ip=valid_ip(request.remote_addr), client_user_agent=user_agent)

    @property
    def token(self) -> str:
        """The session token of the current request's cookie, empty without one."""
        return request.cookies.get(_extension().guard.cookie_name, "")

    def close(self) -> None:
        """Close the connections. A later `init_app` opens new ones."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def set_session_cookie(self, response: Response, session: NewSession) -> None:
        """Store the token of a new session in the browser."""
        response.set_cookie(**_extension().guard.cookie(session))

    def delete_session_cookie(self, response: Response) -> None:
        """Delete the token from the browser."""
        guard = _extension().guard
        response.delete_cookie(guard.cookie_name, secure=guard.cookie_secure, httponly=True, samesite="lax")


class Extension:
    """The state of the extension in one application."""

    def __init__(self, client: Client, guard: Guard) -> None:
        self.client = client
        self.guard = guard


def require_session(
    permission: str | None = None,
    *,
    resource: tuple[str, str] | None = None,
    allow_temporary_password: bool = False,
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result | WerkzeugResponse]]:
    """Return a decorator that runs a view only with a valid session, and with this permission.

    `resource` is the type of the resource that the view is about, and the name of the view's argument with its id.
    Without it, the permission is needed on everything.

    Otherwise responds 401 or redirects to the login page, 403 without the permission, 503 if the service gives no
    answer. Write it below `@app.route`. Use `allow_temporary_password` only for the page that replaces the password.
    """
    argument = resource_argument(permission, resource)

    def decorate(view: Callable[Parameters, Result]) -> Callable[Parameters, Result | WerkzeugResponse]:
        if argument is not None:
            argument.require_argument_of(view)

        @wraps(view)
        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result | WerkzeugResponse:
            extension = _extension()
            token = request.cookies.get(extension.guard.cookie_name)
            outcome = extension.guard.check(
                extension.client,
                token,
                permission,
                None if argument is None else argument.resource_in(kwargs),
                allow_temporary_password=allow_temporary_password,
            )
            if isinstance(outcome, Refusal):
                if outcome.location is not None:
                    return redirect(outcome.location, outcome.status)
                abort(outcome.status, outcome.message)
            g.subusers_session = outcome
            return current_app.ensure_sync(cast("Any", view))(*args, **kwargs)  # type: ignore[no-any-return]

        return guarded

    return decorate


def current_session() -> Introspection:
    """Return the session of the sub-user whose request this is, in a view with `require_session`."""
    return cast("Introspection", g.subusers_session)


def _extension() -> Extension:
    return cast("Extension", current_app.extensions["subusers"])
