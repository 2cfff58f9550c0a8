"""A portal with FastAPI.

Start it: `SUBUSERS_URL=… SUBUSERS_API_KEY=… uvicorn --app-dir examples --factory fastapi_app:create_app`.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel

from subusers_client import Introspection, LoginRefused, SessionEnded, SubusersError, TooManyRequests
from subusers_client.fastapi import Subusers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Login(BaseModel):
    account_email: str
    email: str
    password: str


def create_app(**arguments: Any) -> FastAPI:
    subusers = Subusers(
        **{
            "base_url": os.environ.get("SUBUSERS_URL", "http://127.0.0.1:8000"),
            "api_key": os.environ.get("SUBUSERS_API_KEY", ""),
            **arguments,
        }
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await subusers.aclose()

    app = FastAPI(lifespan=lifespan)
    any_session = Depends(subusers.require_session())

    @app.post("/login")
    async def log_in(request: Request, login: Login) -> Response:
        client = subusers.client_for(request)
        try:
            session = await client.sessions.log_in(
                account_email=login.account_email,
                email=login.email,
                password=login.password,
                client_ip=None,  # `client_for` has set it
            )
        except LoginRefused:
            return Response("wrong e-mail or password", 401)
        except TooManyRequests:
            return Response("too many attempts", 429)
        except SubusersError:
            return Response("service unavailable", 503)
        response = Response("welcome")
        subusers.set_session_cookie(response, session)
        return response

    @app.post("/logout")
    async def log_out(request: Request) -> Response:
        try:
            await subusers.client_for(request).sessions.log_out(token=subusers.token_of(request))
        except SessionEnded:
            pass
        except SubusersError:
            return Response("service unavailable", 503)
        response = Response("bye")
        subusers.delete_session_cookie(response)
        return response

    @app.get("/")
    async def home(session: Introspection = any_session) -> Response:
        return Response(f"sub-user {session.sub_user_id}")

    @app.get("/assistants", dependencies=[Depends(subusers.require_session("assistants"))])
    async def assistants() -> Response:
        return Response("assistants")

    may_see = subusers.require_session("assistants", resource=("assistant", "assistant_id"))

    @app.get("/assistants/{assistant_id}", dependencies=[Depends(may_see)])
    async def assistant(assistant_id: str) -> Response:
        return Response(f"assistant {assistant_id}")

    @app.get("/billing", dependencies=[Depends(subusers.require_session("billing_settings"))])
    async def billing() -> Response:
        return Response("billing")

    return app
