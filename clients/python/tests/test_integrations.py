"""Which responses the protected views of the three frameworks give, for each answer of the service."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, Protocol

import django
import httpx
import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient as DjangoAsyncClient
from django.test import Client as DjangoClient
from django.test import override_settings
from examples import django_app, fastapi_app, flask_app
from fastapi import Depends
from fastapi.testclient import TestClient

from subusers_client import AsyncClient, Client, RetryPolicy
from subusers_client.django import require_session as require_django_session
from subusers_client.fastapi import Subusers
from subusers_client.flask import require_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAST = RetryPolicy(first_pause=0.001, longest_pause=0.002)
SUBUSERS = Subusers(base_url="http://service", api_key="key")
ID = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"


def introspection(**values: Any) -> httpx.Response:
    session = {
        "active": True,
        "account_id": ID,
        "sub_user_id": ID,
        "permissions": ["assistants"],
        "must_change_password": False,
        "expires_at": "2026-11-24T21:09:34.434614Z",
    }
    return httpx.Response(200, content=json.dumps(session | values))


ENDED = httpx.Response(200, content='{"active": false}')


class App(Protocol):
    """A portal with one of the frameworks."""

    def __init__(self, handler: Callable[[httpx.Request], httpx.Response], **options: Any) -> None: ...

    def get(self, path: str, token: str | None = "token") -> Any: ...


class FlaskApp:
    def __init__(self, handler: Any, **options: Any) -> None:
        http = httpx.Client(transport=httpx.MockTransport(handler))
        flask_app.subusers._client = Client(  # noqa: SLF001
            base_url="http://service", api_key="key", http_client=http, retries=FAST, introspection_time_limit=0.2
        )
        self.browser = flask_app.create_app(**{f"SUBUSERS_{name.upper()}": value for name, value in options.items()})

    def get(self, path: str, token: str | None = "token") -> Any:
        browser = self.browser.test_client()
        if token is not None:
            browser.set_cookie("subusers_session", token)
        return browser.get(path)


class DjangoApp:
    def __init__(self, handler: Any, **options: Any) -> None:
        http = httpx.Client(transport=httpx.MockTransport(handler))
        client = Client(
            base_url="http://service", api_key="key", http_client=http, retries=FAST, introspection_time_limit=0.2
        )
        upper_case = {name.upper(): value for name, value in options.items()}
        self.settings = override_settings(SUBUSERS={"URL": "http://service", "CLIENT": client, **upper_case})

    def get(self, path: str, token: str | None = "token") -> Any:
        browser = DjangoClient()
        if token is not None:
            browser.cookies["subusers_session"] = token
        with self.settings:
            return browser.get(path)


class FastApiApp:
    def __init__(self, handler: Any, **options: Any) -> None:
        http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
        client = AsyncClient(
            base_url="http://service", api_key="key", http_client=http, retries=FAST, introspection_time_limit=0.2
        )
        self.app = fastapi_app.create_app(client=client, **options)

    def get(self, path: str, token: str | None = "token") -> Any:
        headers = {} if token is None else {"Cookie": f"subusers_session={token}"}
        return TestClient(self.app, follow_redirects=False).get(path, headers=headers)


@pytest.fixture(scope="module", autouse=True)
def _configured_django() -> None:
    if not django_settings.configured:
        django_app.configure()
        django.setup()


@pytest.fixture(autouse=True)
def _own_flask_client() -> Iterator[None]:
    yield
    flask_app.subusers.close()


@pytest.fixture(params=[FlaskApp, DjangoApp, FastApiApp])
def app(request: pytest.FixtureRequest) -> type[App]:
    app: type[App] = request.param
    return app


def text_of(response: Any) -> str:
    content = getattr(response, "content", None)
    return str(response.data if content is None else content, "utf-8")


def test_a_valid_session_with_the_permission_has_access(app: type[App], responses: Any) -> None:
    handler = responses(introspection(allowed=True))
    response = app(handler).get("/assistants")
    assert (response.status_code, text_of(response)) == (200, "assistants")
    assert json.loads(handler.requests[0].content) == {"token": "token", "permission": "assistants"}


def test_a_view_about_a_resource_is_checked_for_it(app: type[App], responses: Any) -> None:
    """The id is that of the view's argument."""
    handler = responses(introspection(allowed=True))
    response = app(handler).get("/assistants/a%2042")
    assert (response.status_code, text_of(response)) == (200, "assistant a 42")
    resource = {"type": "assistant", "id": "a 42"}
    assert json.loads(handler.requests[0].content) == {
        "token": "token",
        "permission": "assistants",
        "resource": resource,
    }
    assert app(responses(introspection(allowed=False))).get("/assistants/a-1").status_code == 403


def test_an_id_that_no_resource_has_is_403(app: type[App], responses: Any, problem: Any) -> None:
    """The person may have typed it. Another invalid value is a fault of the portal."""
    refused = problem(422, "invalid-input", errors={"resource": {"id": ["Length must be between 1 and 200."]}})
    assert app(responses(refused)).get("/assistants/a-1").status_code == 403
    for errors in ({"resource": {"type": ["must match"]}}, {"permission": ["unknown"], "resource": {"id": ["long"]}}):
        refused = problem(422, "invalid-input", errors=errors)
        assert app(responses(refused)).get("/assistants/a-1").status_code == 503


def test_a_view_without_permission_needs_a_session(app: type[App], responses: Any) -> None:
    handler = responses(introspection())
    response = app(handler).get("/")
    assert (response.status_code, text_of(response)) == (200, f"sub-user {ID}")
    assert json.loads(handler.requests[0].content) == {"token": "token"}


def test_every_view_is_checked_anew(app: type[App], responses: Any) -> None:
    portal = app(responses(introspection(allowed=True), ENDED))
    assert [portal.get("/assistants").status_code for _ in range(2)] == [200, 401]


def test_a_missing_permission_is_403(app: type[App], responses: Any) -> None:
    assert app(responses(introspection(allowed=False))).get("/billing").status_code == 403


@pytest.mark.parametrize("path", ["/", "/assistants"])
def test_an_ended_session_is_401(app: type[App], responses: Any, path: str) -> None:
    assert app(responses(ENDED)).get(path).status_code == 401


@pytest.mark.parametrize("token", [None, "", "a" * 2000])
def test_without_a_possible_token_the_service_is_not_asked(app: type[App], responses: Any, token: str | None) -> None:
    handler = responses(introspection(allowed=True))
    assert app(handler).get("/assistants", token).status_code == 401
    assert not handler.requests


def test_an_ended_session_is_redirected_to_the_login_page(app: type[App], responses: Any) -> None:
    response = app(responses(ENDED), login_url="/login").get("/assistants")
    assert (response.status_code, response.headers["Location"]) == (303, "/login")


def test_a_temporary_password_gives_no_access(app: type[App], responses: Any) -> None:
    """Also for views without permission: such a session has no permissions, but it is active."""
    temporary = introspection(must_change_password=True, permissions=[])
    assert app(responses(temporary)).get("/").status_code == 403
    response = app(responses(temporary), password_url="/password", login_url="/login").get("/")
    assert (response.status_code, response.headers["Location"]) == (303, "/password")


OUTAGES: dict[str, Any] = {
    "no connection": httpx.ConnectError("refused"),
    "no response": httpx.ReadTimeout("slow"),
    "broken response": httpx.RemoteProtocolError("broken"),
    "bad gateway": httpx.Response(502, content="<html>"),
    "unavailable": httpx.Response(503, headers={"Retry-After": "1"}),
    "internal error": httpx.Response(500, content="{}"),
    "throttled": httpx.Response(429, headers={"Retry-After": "60"}),
    "login page of a proxy": httpx.Response(200, content="<html>"),
    "redirect": httpx.Response(302, headers={"Location": "/"}),
    "refused by a proxy": httpx.Response(401, content="<html>"),
    "forbidden by a proxy": httpx.Response(403, content="<html>"),
    "wrong URL": httpx.Response(404, content="<html>"),
    "half an answer": httpx.Response(200, content='{"active": true}'),
    "another type": httpx.Response(200, content='{"active": 1, "allowed": 1}'),
    "no permission answer": introspection(),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_without_an_answer_there_is_no_access(app: type[App], responses: Any, outage: str) -> None:
    response = app(responses(OUTAGES[outage]), login_url="/login").get("/assistants")
    assert response.status_code == 503
    assert "service unavailable" in text_of(response).lower()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "unknown-api-key"),
        (401, "api-key-expired"),
        (403, "wrong-scope"),
        (403, "address-not-allowed"),
        (403, "account-not-allowed"),
        (401, "of-a-later-version"),
        (422, "invalid-input"),
    ],
)
def test_a_bad_api_key_is_unavailable_and_logged(
    app: type[App], responses: Any, problem: Any, caplog: pytest.LogCaptureFixture, status: int, code: str
) -> None:
    response = app(responses(problem(status, code)), login_url="/login").get("/assistants")
    assert response.status_code == 503
    assert "service unavailable" in text_of(response).lower()
    assert "key" not in text_of(response).lower()
    assert [code in record.message for record in caplog.records if record.name == "subusers_client"] == [True]
    assert caplog.records[0].levelno == logging.ERROR


@pytest.mark.parametrize("require", [require_session, require_django_session, SUBUSERS.require_session])
def test_decorators_are_checked_when_they_are_written(require: Any) -> None:
    with pytest.raises(TypeError, match="parentheses"):
        require(print)
    with pytest.raises(TypeError, match="needs a permission"):
        require(resource=("assistant", "assistant_id"))


@pytest.mark.parametrize("require", [require_session, require_django_session])
def test_a_view_needs_the_argument_with_the_id(require: Any) -> None:
    def view(request: Any, other: str) -> None: ...

    def view_of_anything(request: Any, **arguments: Any) -> None: ...

    decorate = require("assistants", resource=("assistant", "assistant_id"))
    with pytest.raises(TypeError, match="no argument 'assistant_id'"):
        decorate(view)
    decorate(view_of_anything)


def test_a_path_of_fastapi_needs_the_parameter_with_the_id(responses: Any) -> None:
    """The view does not run without it."""
    handler = responses(introspection(allowed=True))
    app = FastApiApp(handler).app
    dependency = Depends(SUBUSERS.require_session("assistants", resource=("assistant", "assistant_id")))
    app.get("/wrong/{other}", dependencies=[dependency])(lambda: "ran")
    with pytest.raises(LookupError, match="assistant_id"):
        TestClient(app).get("/wrong/a-1")


async def _get_async(path: str, token: str) -> Any:
    browser = DjangoAsyncClient()
    browser.cookies["subusers_session"] = token
    return await browser.get(path)


@pytest.mark.parametrize(("answer", "status"), [(introspection(allowed=True), 200), (ENDED, 401)])
def test_asynchronous_views_of_django(responses: Any, answer: Any, status: int) -> None:
    app = DjangoApp(responses(answer))
    assert app.get("/statistics").status_code == status
    with app.settings:
        assert asyncio.run(_get_async("/statistics", "token")).status_code == status


def test_the_settings_of_django(responses: Any) -> None:
    with override_settings(SUBUSERS={}), pytest.raises(ImproperlyConfigured):
        DjangoClient().get("/")
    with override_settings(SUBUSERS={"URL": "http://127.0.0.1:1"}):  # without API_KEY
        browser = DjangoClient()
        browser.cookies["subusers_session"] = "token"
        assert browser.get("/").status_code == 503
