"""Token introspection by RFC 7662, and the profile in our own introspection."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from authlib.integrations.httpx_client import OAuth2Client
from werkzeug.datastructures import WWWAuthenticate

from application.commands.api_keys import Limits, Scope
from tests.api.clients import ApiClient, require_problem
from tests.api_keys import BY_OPERATOR

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients
    from tests.conftest import TravelingClock

PATH = "/oauth2/introspect"


def introspect(client: ApiClient, token: str, **form: str) -> Any:
    response = client.post(PATH, data={"token": token, **form})
    assert response.status_code == 200, response.text
    assert response.headers["Cache-Control"] == "no-store"
    return response.json


def test_active_session(clients: ApiClients, account: Account) -> None:
    """The response has the members of RFC 7662, section 2.2, and our own."""
    sub_user = account.create_with_own_password()
    token = sub_user.new_token()
    ours: Any = clients.portal.post("/v1/sessions/introspect", json={"token": token, "profile": True}).json
    key: Any = clients.portal.get("/v1/api-keys/current").json

    assert introspect(clients.portal, token, token_type_hint="access_token") == {
        "active": True,
        "sub": sub_user.sub_user_id,
        "scope": " ".join(ours["permissions"]),
        "username": sub_user.email,
        "name": f"{ours['name']} {ours['surname']}",
        "client_id": key["api_key_id"],
        "exp": int(datetime.fromisoformat(ours["expires_at"]).timestamp()),
        "token_type": "session",
        "account_id": account.account_id,
        "must_change_password": False,
        "assurance_level": "password",
        "step_up_required": False,
    }
    assert ours["email"] == sub_user.email
    plain: Any = clients.portal.post("/v1/sessions/introspect", json={"token": token}).json
    assert plain == {name: value for name, value in ours.items() if name not in {"email", "name", "surname"}}


def test_inactive_session_has_no_other_member(clients: ApiClients, account: Account) -> None:
    """RFC 7662, section 2.2: nothing says why. The next request after the end is refused."""
    sub_user = account.create_with_own_password()
    token = sub_user.new_token()
    assert introspect(clients.portal, token)["active"] is True
    clients.portal.patch(sub_user.path, json={"status": "inactive"})
    assert introspect(clients.portal, token) == introspect(clients.portal, uuid4().hex) == {"active": False}
    body = {"token": token, "profile": True, "permission": "assistants"}
    assert clients.portal.post("/v1/sessions/introspect", json=body).json == {"active": False, "allowed": False}


def test_restricted_session_has_no_scope(clients: ApiClients, account: Account) -> None:
    """A session opened with a temporary password is active, but may only set a password."""
    token = account.create_active().new_token()
    state = introspect(clients.portal, token)
    assert (state["active"], state["scope"], state["must_change_password"]) == (True, "", True)


def test_api_key_as_password_of_http_basic(clients: ApiClients, account: Account) -> None:
    """OAuth clients usually authenticate so. Other routes refuse it."""
    token = account.create_with_own_password().new_token()
    key = clients.portal.headers["Authorization"].removeprefix("Bearer ")
    credentials = base64.b64encode(f"any name:{key}".encode()).decode()
    client = ApiClient(clients.app, {"Authorization": f"Basic {credentials}"})
    assert introspect(client, token)["active"] is True
    require_problem(client.post("/v1/sessions/introspect", json={"token": token}), 401, "unknown-api-key")
    for wrong in (f"any name:{key}x", "any name:", "any name", f"{key}:"):
        credentials = base64.b64encode(wrong.encode()).decode()
        client = ApiClient(clients.app, {"Authorization": f"Basic {credentials}"})
        response = client.post(PATH, data={"token": token})
        require_problem(response, 401, "unknown-api-key")
        challenges = [(challenge.type, challenge.get("realm")) for challenge in challenges_of(response)]
        assert challenges == [("basic", "subusers"), ("bearer", "subusers")]


def challenges_of(response: TestResponse) -> list[WWWAuthenticate]:
    """Return the challenges in the header, parsed by Werkzeug one by one."""
    header = response.headers["WWW-Authenticate"]
    beginnings = [match.start() for match in re.finditer(r"\b[A-Z][a-z]+ ", header)]
    parts = [header[begin:end].strip(", ") for begin, end in pairwise([*beginnings, None])]
    return [challenge for part in parts if (challenge := WWWAuthenticate.from_header(part))]


def test_expired_key_and_the_document_name_both_schemes(own_clients: ApiClients, clock: TravelingClock) -> None:
    """Every 401 of this route, and its security in the OpenAPI document."""
    limits = Limits(expires_at=clock() + timedelta(hours=1))
    secret = own_clients.service.commands.api_keys.create(Scope.PORTAL, "short", BY_OPERATOR, limits)
    clock.advance(hours=1)
    response = ApiClient.with_key(own_clients.app, secret).post(PATH, data={"token": "a"})
    require_problem(response, 401, "api-key-expired")
    assert [challenge.type for challenge in challenges_of(response)] == ["bearer", "basic"]
    document: Any = own_clients.anonymous.get("/openapi.json").json
    assert document["paths"][PATH]["post"]["security"] == [{"apiKey": []}, {"apiKeyAsPassword": []}]
    schemes = document["components"]["securitySchemes"]
    assert {name: scheme["scheme"] for name, scheme in schemes.items()} == {
        "apiKey": "bearer",
        "apiKeyAsPassword": "basic",
    }


@pytest.mark.parametrize(
    "token", ["a", "a" * 43, "a" * 44, "a" * 5000, "é" * 43, "=" * 43, " ", "a\nb", "\x00", "\ud800"]
)
def test_token_that_cannot_exist_is_inactive(clients: ApiClients, token: str) -> None:
    """RFC 7662, section 2.2: a token that is malformed is inactive, like one that does not exist."""
    response = clients.portal.post("/v1/sessions/introspect", json={"token": token})
    assert (response.status_code, response.json) == (200, {"active": False})
    if token != "\ud800":  # cannot be in a form
        assert introspect(clients.portal, token) == {"active": False}
    response = clients.portal.post("/v1/sessions/introspect", json={"token": ""})
    assert (response.status_code, response.json) == (200, {"active": False})


def test_session_of_another_account_than_the_keys_is_inactive(clients: ApiClients, account: Account) -> None:
    """The owner's session is inactive as well, as in our own introspection."""
    token = account.create_with_own_password().new_token()
    limits = Limits(accounts=frozenset({uuid4()}))
    secret = clients.service.commands.api_keys.create(Scope.PORTAL, "other", BY_OPERATOR, limits)
    assert introspect(ApiClient.with_key(clients.app, secret), token) == {"active": False}


@pytest.mark.parametrize(
    ("request_arguments", "status", "code", "fields"),
    [
        ({"json": {"token": "a"}}, 415, "unsupported-media-type", ()),
        ({"data": {}}, 415, "unsupported-media-type", ()),
        ({"data": {"token": ""}}, 422, "invalid-input", ("token",)),
        ({"data": {"token_type_hint": "access_token"}}, 422, "invalid-input", ("token",)),
        (
            {"data": b"token=%e9", "content_type": "application/x-www-form-urlencoded; charset=latin1"},
            *(415, "unsupported-media-type", ()),
        ),
        (
            {"data": b"token=a", "content_type": "application/x-www-form-urlencoded; charset"},
            *(415, "unsupported-media-type", ()),
        ),
        ({"data": {"token": ["a", "b"]}}, 400, "malformed-body", ()),
        (
            {"data": b"token=%ff", "content_type": "application/x-www-form-urlencoded"},
            *(400, "malformed-body", ()),
        ),
        (
            {"data": b"token=\xff", "content_type": "application/x-www-form-urlencoded"},
            *(400, "malformed-body", ()),
        ),
    ],
)
def test_invalid_form_is_refused(
    clients: ApiClients, request_arguments: dict[str, Any], status: int, code: str, fields: tuple[str, ...]
) -> None:
    require_problem(clients.portal.post(PATH, **request_arguments), status, code, *fields)


@pytest.mark.parametrize("parameter", ["", "; charset=utf-8", '; Charset="UTF-8"'])
def test_form_may_name_utf_8(clients: ApiClients, parameter: str) -> None:
    content_type = f"application/x-www-form-urlencoded{parameter}"
    response = clients.portal.post(PATH, data=b"token=%c3%a9", content_type=content_type)
    assert (response.status_code, response.json) == (200, {"active": False})


def test_authlib_introspects_a_session(clients: ApiClients, account: Account) -> None:
    """Authlib's client authenticates with HTTP Basic and sends a token type hint."""
    token = account.create_with_own_password().new_token()
    key = clients.portal.headers["Authorization"].removeprefix("Bearer ")
    with OAuth2Client("any-name", key, transport=httpx.WSGITransport(app=clients.app)) as client:
        url = f"http://localhost{PATH}"
        active = client.introspect_token(url, token=token, token_type_hint="access_token").json()
        ended = client.introspect_token(url, token="another").json()
    assert (active["active"], active["account_id"]) == (True, account.account_id)
    assert ended == {"active": False}


def test_response_suits_clients_like_springs(clients: ApiClients, account: Account) -> None:
    """Spring Security sends only the token with HTTP Basic, and reads these members in these types."""
    token = account.create_with_own_password().new_token()
    key = clients.portal.headers["Authorization"].removeprefix("Bearer ")
    transport = httpx.WSGITransport(app=clients.app)
    with httpx.Client(transport=transport, auth=("portal", key), base_url="http://localhost") as client:
        response = client.post(PATH, data={"token": token}, headers={"Accept": "application/json"})
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    state = response.json()
    assert (type(state["active"]), type(state["exp"])) == (bool, int)
    assert all(isinstance(state[name], str) for name in ("sub", "scope", "username", "client_id", "token_type"))
