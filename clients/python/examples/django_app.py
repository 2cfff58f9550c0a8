"""A portal with Django in one file.

Start it: `SUBUSERS_URL=… SUBUSERS_API_KEY=… python examples/django_app.py runserver`.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_POST

from subusers_client import LoginRefused, SessionEnded, SubusersError, TooManyRequests
from subusers_client.django import require_session

if TYPE_CHECKING:
    from django.http import HttpRequest


def configure(**subusers: Any) -> None:
    """Configure Django. A project does this in its settings module; keep its CsrfViewMiddleware."""
    settings.configure(
        DEBUG=False,
        ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"],
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.urandom(16).hex(),
        MIDDLEWARE=["subusers_client.django.SubusersMiddleware"],
        SUBUSERS={
            "URL": os.environ.get("SUBUSERS_URL", "http://127.0.0.1:8000"),
            "API_KEY": os.environ.get("SUBUSERS_API_KEY", ""),
            **subusers,
        },
    )


@require_POST
def log_in(request: HttpRequest) -> HttpResponse:
    try:
        session = request.subusers.client.sessions.log_in(
            account_email=request.POST["account_email"],
            email=request.POST["email"],
            password=request.POST["password"],
            client_ip=request.META["REMOTE_ADDR"],
        )
    except LoginRefused:
        return HttpResponse("wrong e-mail or password", status=401)
    except TooManyRequests:
        return HttpResponse("too many attempts", status=429)
    except SubusersError:
        return HttpResponse("service unavailable", status=503)
    response = HttpResponse("welcome")
    request.subusers.set_session_cookie(response, session)
    return response


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    try:
        request.subusers.client.sessions.log_out(token=request.subusers.token)
    except SessionEnded:
        pass
    except SubusersError:
        return HttpResponse("service unavailable", status=503)
    response = HttpResponse("bye")
    request.subusers.delete_session_cookie(response)
    return response


@require_session()
def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"sub-user {request.subusers.session.sub_user_id}")


@require_session("assistants")
def assistants(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("assistants")


@require_session("assistants", resource=("assistant", "assistant_id"))
def assistant(_request: HttpRequest, assistant_id: str) -> HttpResponse:
    return HttpResponse(f"assistant {assistant_id}")


@require_session("statistics")
async def statistics(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("statistics")


@require_session("billing_settings")
def billing(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("billing")


urlpatterns = [
    path("login", log_in),
    path("logout", log_out),
    path("", home),
    path("assistants", assistants),
    path("assistants/<str:assistant_id>", assistant),
    path("statistics", statistics),
    path("billing", billing),
]

if __name__ == "__main__":
    configure()
    execute_from_command_line(sys.argv)
