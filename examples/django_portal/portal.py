"""A portal in Django. Start it: `SUBUSERS_URL=… SUBUSERS_API_KEY=… python portal.py runserver`."""

import os
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST
from subusers_client import InvalidRequest, LoginRefused, SessionEnded, TooManyRequests
from subusers_client.django import require_session

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware", "subusers_client.django.SubusersMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [Path(__file__).parent]}],
    SUBUSERS={"URL": os.environ["SUBUSERS_URL"], "API_KEY": os.environ["SUBUSERS_API_KEY"], "LOGIN_URL": "/login"},
)


def sign_in(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "sign_in.html")
    credentials = {name: request.POST.get(name, "") for name in ("account_email", "email", "password")}
    try:
        session = request.subusers.client.sessions.log_in(**credentials, client_ip=request.META["REMOTE_ADDR"])
    except (LoginRefused, InvalidRequest):
        return render(request, "sign_in.html", {"message": "wrong password"}, status=401)
    except TooManyRequests:
        return render(request, "sign_in.html", {"message": "too many attempts: try again later"}, status=429)
    response = redirect("/")
    request.subusers.set_session_cookie(response, session)
    return response


@require_session("assistants")
def assistants(request: HttpRequest) -> HttpResponse:
    return render(request, "assistants.html", {"session": request.subusers.session})


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    with suppress(SessionEnded):
        request.subusers.client.sessions.log_out(token=request.subusers.token)
    response = redirect("/login")
    request.subusers.delete_session_cookie(response)
    return response


def handler500(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("service unavailable", status=503)


urlpatterns = [path("login", sign_in), path("", assistants), path("logout", log_out)]
execute_from_command_line()
