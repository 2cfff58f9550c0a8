"""Django middleware and decorator that protect views by the sessions of sub-users.

In the settings:

    MIDDLEWARE = [..., "subusers_client.django.SubusersMiddleware"]
    SUBUSERS = {"URL": "https://subusers.example", "API_KEY": os.environ["SUBUSERS_API_KEY"]}

In the views:

    @require_session("assistants")
    def assistants(request): ...

    @require_session("assistants", resource=("assistant", "assistant_id"))
    def assistant(request, assistant_id): ...
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse

from subusers_client._sync.client import Client
from subusers_client.guard import COOKIE_NAME, Guard, Refusal, resource_argument, valid_ip

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    from subusers_client.models import Introspection, NewSession
    from subusers_client.role_models import Resource


class SubusersMiddleware:
    """Sets `request.subusers`, which checks the session when a view requires it.

    Keys of the setting SUBUSERS: URL, API_KEY, and optionally LOGIN_URL, PASSWORD_URL, COOKIE_NAME, COOKIE_SECURE,
    TIME_LIMIT (seconds of a session check, 5), and CLIENT_IP, a function that returns the browser's address from a
    request (default: REMOTE_ADDR; behind a proxy that is the proxy).
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
        values: dict[str, Any] = getattr(settings, "SUBUSERS", {})
        if "URL" not in values:
            raise ImproperlyConfigured("the setting SUBUSERS needs URL and API_KEY")
        self._client = values.get("CLIENT") or Client(
            base_url=values["URL"],
            api_key=values.get("API_KEY") or "",
            introspection_time_limit=values.get("TIME_LIMIT", 5.0),
        )
        self._guard = Guard(
            login_url=values.get("LOGIN_URL"),
            password_url=values.get("PASSWORD_URL"),
            cookie_name=values.get("COOKIE_NAME", COOKIE_NAME),
            cookie_secure=values.get("COOKIE_SECURE", True),
        )
        self._client_ip: Callable[[HttpRequest], str | None] = values.get("CLIENT_IP", _remote_address)

    def __call__(self, request: HttpRequest) -> Any:
        """Respond to a request; in an asynchronous application the result is awaited."""
        request.subusers = RequestSubusers(request, self._client, self._guard, self._client_ip)
        return self._get_response(request)


class RequestSubusers:
    """What a view needs of the service: `request.subusers`."""

    session: Introspection
    """The session, in a view with `require_session`."""

    def __init__(
        self, request: HttpRequest, client: Client, guard: Guard, client_ip: Callable[[HttpRequest], str | None]
    ) -> None:
        self.token: str = request.COOKIES.get(guard.cookie_name, "")
        self._request = request
        self._shared_client = client
        self._guard = guard
        self._client_ip = client_ip

    @property
    def client(self) -> Client:
        """The client, which sends the address and user agent of the request's browser."""
        user_agent: str | None = self._request.META.get("HTTP_USER_AGENT")
        return self._shared_client.for_request(
            client_ip=valid_ip(self._client_ip(self._request)), client_user_agent=user_agent
        )

    def check(
        self, permission: str | None, resource: Resource | None = None, *, allow_temporary_password: bool
    ) -> HttpResponse | None:
        """Check the session. Return the response in place of the view, or None if it may run."""
        outcome = self._guard.check(
            self._shared_client, self.token, permission, resource, allow_temporary_password=allow_temporary_password
        )
        if not isinstance(outcome, Refusal):
            self.session = outcome
            return None
        headers = {"Cache-Control": "no-store"}
        if outcome.location is not None:
            headers["Location"] = outcome.location
        return HttpResponse(outcome.message, status=outcome.status, headers=headers, content_type="text/plain")

    def set_session_cookie(self, response: HttpResponse, session: NewSession) -> None:
        """Store the token of a new session in the browser."""
        response.set_cookie(**self._guard.cookie(session))

    def delete_session_cookie(self, response: HttpResponse) -> None:
        """Delete the token from the browser."""
        response.delete_cookie(self._guard.cookie_name, samesite="lax")


def require_session(
    permission: str | None = None,
    *,
    resource: tuple[str, str] | None = None,
    allow_temporary_password: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that runs a view only with a valid session, and with this permission.

    `resource` is the type of the resource that the view is about, and the name of the view's argument with its id: a
    named part of the URL. Without it, the permission is needed on everything.

    Otherwise responds 401 or redirects to the login page, 403 without the permission, 503 if the service gives no
    answer. Use `allow_temporary_password` only for the page that replaces the password.
    """
    argument = resource_argument(permission, resource)

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        if argument is not None:
            argument.require_argument_of(view)

        if iscoroutinefunction(view):

            @wraps(view)
            async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                check = sync_to_async(_request_subusers(request).check, thread_sensitive=False)
                refusal = await check(
                    permission, _resource_in(kwargs), allow_temporary_password=allow_temporary_password
                )
                return await view(request, *args, **kwargs) if refusal is None else refusal

            return guarded_async

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            refusal = _request_subusers(request).check(
                permission, _resource_in(kwargs), allow_temporary_password=allow_temporary_password
            )
            return view(request, *args, **kwargs) if refusal is None else refusal

        return guarded

    def _resource_in(arguments: dict[str, Any]) -> Resource | None:
        return None if argument is None else argument.resource_in(arguments)

    return decorate


def _request_subusers(request: HttpRequest) -> RequestSubusers:
    subusers = getattr(request, "subusers", None)
    if not isinstance(subusers, RequestSubusers):
        raise ImproperlyConfigured("add subusers_client.django.SubusersMiddleware to MIDDLEWARE")
    return subusers


def _remote_address(request: HttpRequest) -> str | None:
    address: str | None = request.META.get("REMOTE_ADDR")
    return address
