"""FastAPI dependency that protects routes by the sessions of sub-users.

subusers = Subusers(base_url="https://subusers.example", api_key=os.environ["SUBUSERS_API_KEY"])

@app.get("/assistants")
async def assistants(session: Annotated[Introspection, Depends(subusers.require_session("assistants"))]): ...

may_see = subusers.require_session("assistants", resource=("assistant", "assistant_id"))

@app.get("/assistants/{assistant_id}")
async def assistant(assistant_id: str, session: Annotated[Introspection, Depends(may_see)]): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import HTTPException
from starlette.requests import Request  # noqa: TC002  # FastAPI reads the annotations of dependencies

from subusers_client._async.client import AsyncClient
from subusers_client.guard import COOKIE_NAME, Guard, Refusal, resource_argument, valid_ip

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

    from subusers_client.models import Introspection, NewSession


class Subusers:
    """The connection of an application to the service. Call `aclose` at the end of the application's lifespan."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        login_url: str | None = None,
        password_url: str | None = None,
        cookie_name: str = COOKIE_NAME,
        cookie_secure: bool = True,
        time_limit: float = 5.0,
        client: AsyncClient | None = None,
    ) -> None:
        self._client = client or AsyncClient(base_url=base_url, api_key=api_key, introspection_time_limit=time_limit)
        self._guard = Guard(
            login_url=login_url, password_url=password_url, cookie_name=cookie_name, cookie_secure=cookie_secure
        )

    def require_session(
        self,
        permission: str | None = None,
        *,
        resource: tuple[str, str] | None = None,
        allow_temporary_password: bool = False,
    ) -> Callable[[Request], Awaitable[Introspection]]:
        """Return a dependency that returns the session if it is valid and has this permission.

        `resource` is the type of the resource that the route is about, and the name of the path parameter with its id.
        Without it, the permission is needed on everything.

        Otherwise the response is 401 or a redirect to the login page, 403 without the permission, 503 if the service
        gives no answer. Use `allow_temporary_password` only for the page that replaces the password.
        """
        argument = resource_argument(permission, resource)

        async def dependency(request: Request) -> Introspection:
            outcome = await self._guard.check_async(
                self._client,
                self.token_of(request),
                permission,
                None if argument is None else argument.resource_in(request.path_params),
                allow_temporary_password=allow_temporary_password,
            )
            if isinstance(outcome, Refusal):
                headers = {"Cache-Control": "no-store"}
                if outcome.location is not None:
                    headers["Location"] = outcome.location
                raise HTTPException(outcome.status, outcome.message, headers=headers)
            return outcome

        return dependency

    def client_for(self, request: Request) -> AsyncClient:
        """Return the client, which sends the address and user agent of the request's browser."""
        return self._client.for_request(
            client_ip=valid_ip(request.client.host if request.client is not None else None),
            client_user_agent=request.headers.get("user-agent"),
        )

    def token_of(self, request: Request) -> str:
        """Return the session token of the request's cookie, empty without one."""
        token: str = request.cookies.get(self._guard.cookie_name, "")
        return token

    def set_session_cookie(self, response: Response, session: NewSession) -> None:
        """Store the token of a new session in the browser."""
        response.set_cookie(**self._guard.cookie(session))

    def delete_session_cookie(self, response: Response) -> None:
        """Delete the token from the browser."""
        guard = self._guard
        response.delete_cookie(guard.cookie_name, secure=guard.cookie_secure, httponly=True, samesite="lax")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
